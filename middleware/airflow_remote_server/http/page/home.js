// The first view.

/** @import { Entry, View } from "./types" */

import { getToken, request, urlOf } from "./api.js";
import { button, copyButton, el, saveFile } from "./dom.js";

const FEATURED = ["list_dags", "trigger_dag", "deploy_dag", "backfill", "variables", "version"];

const groupButtons = el("div");

/**
 * Show a button for each group of live commands, which opens the group in the sidebar.
 * @param {string} airflow version of Airflow
 * @param {HTMLDetailsElement[]} groups
 */
export function showGroups(airflow, groups) {
  const buttons = groups.map((group) => {
    const name = group.querySelector("summary")?.firstChild?.textContent ?? "";
    const open = () => {
      group.open = true;
      group.scrollIntoView();
      group.querySelector("a")?.focus({ preventScroll: true });
    };
    return button(name, open, "small");
  });
  groupButtons.replaceChildren();
  if (!buttons.length) return;
  groupButtons.append(
    el("h3", {}, `All Airflow ${airflow} commands`),
    el("div", { class: "chips" }, ...buttons),
  );
}

/**
 * Return a curl command as an example.
 * @returns {string}
 */
function exampleLine() {
  const header = getToken() ? '-H "rest-api-plugin-http-token: $AIRFLOW_REMOTE_TOKEN" ' : "";
  return `curl ${header}${urlOf("version")}`;
}

/**
 * Create the view.
 * @param {Map<string, Entry>} entries by the address of their view
 * @param {(error: unknown) => void} showFailure
 * @returns {View}
 */
export function homeView(entries, showFailure) {
  const example = el("pre", { tabindex: 0, role: "region", "aria-label": "Example" }, exampleLine());
  addEventListener("token", () => {
    example.textContent = exampleLine();
  });
  const downloadOpenApi = async () => {
    try {
      const response = await request("openapi.json");
      saveFile([await response.blob()], "openapi.json");
    } catch (error) {
      showFailure(error);
    }
  };
  const cards = FEATURED.map((name) => entries.get(`#endpoint/${name}`))
    .filter((entry) => entry !== undefined)
    .map(({ hash, name, help }) => el("a", { href: hash }, el("code", {}, name), el("span", {}, help)));
  const curlNote =
    "Send the token in a header, and arguments in the query string, as a form, or as a JSON object.";
  const element = el(
    "section",
    {},
    el("h2", { tabindex: -1 }, "The Airflow CLI over HTTP"),
    el(
      "p",
      {},
      "Choose a command, fill in its form, and watch its output. The page also shows the same request as a command for your terminal.",
    ),
    el("div", { class: "cards" }, ...cards),
    groupButtons,
    el("h3", {}, "From a terminal"),
    el(
      "div",
      { class: "bar" },
      el("span", { class: "dim" }, curlNote),
      copyButton("curl command", exampleLine),
    ),
    example,
    el("h3", {}, "From your own programs"),
    el(
      "p",
      { class: "bar" },
      "OpenAPI 3.1 description of all routes, arguments and responses",
      button("Download openapi.json", downloadOpenApi, "small"),
    ),
  );
  return { element, title: "" };
}
