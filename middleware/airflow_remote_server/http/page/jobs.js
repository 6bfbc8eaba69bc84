// The list of jobs, and the page of one job.

/** @import { Job, JobList, View } from "./types" */

import { messageOf, requestJson } from "./api.js";
import { button, el, visible } from "./dom.js";
import {
  elapsedSeconds,
  isActive,
  jobLink,
  shownState,
  stateBadge,
  stateLabel,
  timeElement,
} from "./job_fields.js";
import { Run } from "./run.js";
import { formatDuration, sleep, untilVisible } from "./timing.js";

const REFRESH_INTERVAL = 2000; // milliseconds
const PAGE_SIZE = 50;
const MAX_REQUESTS = 10; // for one page
const STATES = ["queued", "running", "succeeded", "failed", "stopped", "timed_out", "lost"];
const COLUMNS = ["State", "Command", "Requested by", "Requested at", "Duration"];

/**
 * Create the row of a job.
 * @param {Job} job
 * @param {(message: string) => void} showError
 * @returns {HTMLTableRowElement}
 */
function jobRow(job, showError) {
  const command = job.airflow_cmd || job.name;
  const stop = async () => {
    const path = `jobs/${job.id}/stop${job.stopping ? "?force=true" : ""}`;
    try {
      await requestJson(path, { method: "POST", headers: { Prefer: "respond-async" } });
    } catch (error) {
      showError(messageOf(error));
    }
  };
  const verb = job.stopping ? "Kill" : "Stop";
  const stopButton = button(verb, stop, "stop small");
  stopButton.setAttribute("aria-label", `${verb} ${visible(command)}`);
  return el(
    "tr",
    {},
    el("td", {}, stateBadge(shownState(job))),
    el("td", {}, jobLink(job.id, command)),
    el("td", {}, visible(job.principal), el("span", { class: "dim" }, ` ${visible(job.peer)}`)),
    el("td", {}, timeElement(job.created)),
    el("td", {}, job.started ? formatDuration(elapsedSeconds(job)) : ""),
    el("td", {}, isActive(job.state) && stopButton),
  );
}

/**
 * Request the newest jobs.
 * @param {Record<string, string>} filter
 * @param {number} pages how many pages of them, of PAGE_SIZE jobs each
 * @returns {Promise<{ jobs: Job[], hasMore: boolean }>}
 */
async function listJobs(filter, pages) {
  const jobs = [];
  let before = "";
  // If few jobs match, a page may be short or empty and not be the last one.
  for (let left = pages * MAX_REQUESTS; left > 0 && jobs.length < pages * PAGE_SIZE; left -= 1) {
    const limit = String(pages * PAGE_SIZE - jobs.length);
    const query = new URLSearchParams({ ...filter, limit, ...(before && { before }) });
    /** @type {JobList} */
    const list = await requestJson(`jobs?${query}`);
    jobs.push(...list.jobs);
    before = list.next ?? "";
    if (!before) break;
  }
  return { jobs, hasMore: Boolean(before) };
}

/**
 * Replace the rows of a table, and keep the focus in the row where it is.
 * @param {HTMLTableSectionElement} body
 * @param {HTMLTableRowElement[]} rows
 */
function replaceRows(body, rows) {
  const focused = document.activeElement;
  const index = [...body.rows].findIndex((row) => row.contains(focused));
  body.replaceChildren(...rows);
  if (index < 0 || !focused) return;
  const target = rows[Math.min(index, rows.length - 1)]?.querySelector(focused.localName);
  if (target instanceof HTMLElement) target.focus();
}

/**
 * Create the filters of the list.
 * @returns {{ state: HTMLSelectElement, command: HTMLInputElement, element: HTMLElement }}
 */
function createFilters() {
  const states = STATES.map((name) => el("option", { value: name }, stateLabel(name)));
  const all = el("option", { value: "" }, "all");
  const active = el("option", { value: "queued,running" }, "not finished");
  const state = el("select", { id: "job-state" }, all, active, ...states);
  const command = el("input", {
    id: "job-command",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: "trigger_dag, airflow dags, *my_dag*",
  });
  const element = el(
    "div",
    { class: "fields" },
    el("div", { class: "field" }, el("label", { for: state.id }, "State"), state),
    el("div", { class: "field" }, el("label", { for: command.id }, "Command"), command),
  );
  return { state, command, element };
}

/**
 * Create the table of jobs.
 * @param {HTMLTableSectionElement} body
 * @returns {HTMLElement}
 */
function createTable(body) {
  const heads = COLUMNS.map((title) => el("th", { scope: "col" }, title));
  heads.push(el("th", { scope: "col" }, el("span", { class: "visually-hidden" }, "Actions")));
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body);
  return el("div", { class: "scroll jobs", tabindex: 0, role: "region", "aria-label": "Jobs" }, table);
}

/**
 * Create the view of the list of jobs.
 * @returns {View}
 */
export function jobsView() {
  const filters = createFilters();
  const body = el("tbody");
  const message = el("div", { role: "alert" });
  const empty = el("p", { class: "dim", hidden: true }, "No jobs found.");
  const more = button("Load older jobs", () => {
    pages += 1;
    refresh();
  });
  const element = el(
    "section",
    {},
    el("h2", { tabindex: -1 }, "Jobs"),
    el("p", {}, "Every command runs as a job. You can follow its output, read it later, or stop it."),
    filters.element,
    message,
    el("div", { class: "run" }, createTable(body), empty, more),
  );
  let pages = 1;
  let shown = "";

  const showError = (/** @type {string} */ text) => {
    message.replaceChildren(...(text ? [el("p", { class: "box bad" }, visible(text))] : []));
  };
  const refresh = async () => {
    const { value: command } = filters.command;
    let list;
    try {
      list = await listJobs({ state: filters.state.value, ...(command && { command }) }, pages);
    } catch (error) {
      showError(messageOf(error));
      return;
    }
    more.hidden = !list.hasMore;
    empty.hidden = list.jobs.length > 0;
    // Rows that have not changed stay, and with them the user's selection.
    const visibleState = JSON.stringify(
      list.jobs.map((job) => [
        job.id,
        shownState(job),
        isActive(job.state) && Math.floor(elapsedSeconds(job)),
      ]),
    );
    if (visibleState === shown) return;
    shown = visibleState;
    showError("");
    replaceRows(
      body,
      list.jobs.map((job) => jobRow(job, showError)),
    );
  };
  const applyFilters = () => {
    pages = 1;
    refresh();
  };
  filters.state.addEventListener("change", applyFilters);
  filters.command.addEventListener("input", applyFilters);

  const refreshWhileShown = async () => {
    while (element.isConnected && !element.hidden) {
      await refresh();
      await sleep(REFRESH_INTERVAL);
      await untilVisible();
    }
  };
  return { element, title: "Jobs", onShow: refreshWhileShown };
}

/**
 * Return the facts about a job, as pairs of a name and a value.
 * @param {Job} job
 * @returns {[string, string | HTMLElement | null | undefined][]}
 */
function factsOf(job) {
  return [
    ["Command", el("code", {}, visible(job.airflow_cmd))],
    ["Requested by", `${visible(job.principal)} from ${visible(job.peer)}`],
    ["Requested at", timeElement(job.created)],
    ["Started", job.started ? timeElement(job.started) : ""],
    ["Ended", job.ended ? timeElement(job.ended) : ""],
    ["Stopping", job.stopping ? visible(job.stopping.message) : ""],
    ["Restarts", job.restarts ? visible(job.restarts.message) : ""],
    ["Type", job.kind === "service" ? "Service. It runs until it is stopped." : ""],
    ["Node", visible(job.node ?? "")],
    ["Job ID", el("code", {}, visible(job.id))],
  ];
}

/**
 * Create the view of one job.
 * @param {string} id
 * @param {number} airflow major version of Airflow
 * @returns {View}
 */
export function jobView(id, airflow) {
  const heading = el("h2", { tabindex: -1 }, "Job");
  const facts = el("dl", { class: "about" });
  const describe = (/** @type {Job} */ job) => {
    heading.textContent = visible(job.name);
    const known = factsOf(job).filter(([, value]) => value);
    facts.replaceChildren(...known.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  };
  const run = new Run({ airflow, onUpdate: describe });
  const back = el("p", {}, el("a", { href: "#jobs" }, "All jobs"));
  const element = el("section", {}, heading, back, facts, run.element);
  const onShow = () => {
    if (!run.job) run.follow(id);
  };
  return { element, title: "Job", onShow };
}
