// The outcome of a command: its DAG run, files, and result.

/** @import { Ending, Values } from "./types" */
/** @import { OutputStream } from "./output_stream.js" */

import { messageOf, request, rootUrl } from "./api.js";
import { button, copyButton, el, saveFile, visible } from "./dom.js";
import { resultTable } from "./table.js";

/**
 * @typedef {object} Context
 * @property {number} airflow major version of Airflow
 * @property {Values} values arguments of the command
 * @property {OutputStream} stdout
 * @property {(message: string) => void} showError
 */

/**
 * Create a link to a DAG run in Airflow's own user interface.
 * @param {string} runId
 * @param {Context} context
 * @returns {HTMLElement}
 */
function runLink(runId, { airflow, values }) {
  const [dag, run] = [String(values.dag_id), runId].map(encodeURIComponent);
  const path = airflow < 3 ? `dags/${dag}/grid?dag_run_id=${run}` : `dags/${dag}/runs/${run}`;
  const { href } = new URL(`../../${path}`, rootUrl);
  const link = el("a", { href, target: "_blank", rel: "noopener" }, visible(runId));
  return el("p", { class: "box" }, "DAG run: ", link);
}

/**
 * Create a line that offers a file for download.
 * @param {{ name: string, size: number }} file
 * @param {string} jobId
 * @param {Context} context
 * @returns {HTMLElement}
 */
function fileLine(file, jobId, { showError }) {
  const parts = file.name.split("/");
  const path = `jobs/${jobId}/files/${parts.map(encodeURIComponent).join("/")}`;
  const download = async () => {
    try {
      const response = await request(path, { headers: { Accept: "*/*" } });
      saveFile([await response.blob()], parts[parts.length - 1]);
    } catch (error) {
      showError(messageOf(error));
    }
  };
  return el(
    "p",
    { class: "box bar" },
    el("code", {}, visible(file.name)),
    el("span", { class: "dim" }, `${file.size} bytes`),
    button("Download", download, "small"),
  );
}

/**
 * Return the result of a command, or its whole output if that is JSON.
 * @param {Ending} ending
 * @param {OutputStream} stdout
 * @returns {unknown}
 */
function resultOf({ result }, { text, truncated }) {
  if (result !== undefined || !truncated.hidden || !/^\s*[[{]/.test(text)) return result;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the output is not JSON
  }
}

/**
 * Show a result as a table, if possible, and as JSON.
 * @param {unknown} result
 * @returns {HTMLElement[]}
 */
function resultElements(result) {
  const table = resultTable(result);
  const json = JSON.stringify(result, null, 2);
  const pre = el("pre", { class: "output", tabindex: 0, role: "region", "aria-label": "Result JSON" });
  pre.textContent = visible(json);
  const copy = el(
    "div",
    { class: "bar" },
    copyButton("JSON", () => json),
  );
  const details = el("details", { open: !table }, el("summary", {}, "JSON"), copy, pre);
  return [el("h3", {}, "Result"), ...(table ? [table] : []), details];
}

/**
 * Create the elements for the outcome of a command.
 * @param {Ending} ending
 * @param {Context} context
 * @returns {HTMLElement[]}
 */
export function outcomeElements(ending, context) {
  const elements = [];
  if (ending.dag_run_id) elements.push(runLink(ending.dag_run_id, context));
  for (const file of ending.files ?? []) elements.push(fileLine(file, ending.id ?? "", context));
  const result = resultOf(ending, context.stdout);
  if (result != null) elements.push(...resultElements(result));
  return elements;
}
