// The entry module: the token, the list of commands, and which view is shown.

/** @import { Entry, PageData, View } from "./types" */

import { ApiError, getToken, messageOf, requestJson, setToken } from "./api.js";
import { announce, button, byId, el, visible } from "./dom.js";
import { homeView, showGroups } from "./home.js";
import { clearLiveCommands, listLiveCommands } from "./sidebar.js";

const SETTING = "[webserver] rest_api_plugin_expected_http_token in airflow.cfg";
const TOKEN_FAILED = "Token Authentication Failed"; // the server's message

const main = byId("main", "main");
const notice = byId("notice", "div");
const tokenForm = byId("token", "form");
const tokenField = byId("token-value", "input");
const tokenButton = byId("token-button", "button");

/** @type {PageData} */
const pageData = JSON.parse(byId("page-data", "script").text);

/** @type {Map<string, Entry>} by the address of their view */
const entries = new Map();
for (const endpoint of pageData.endpoints) {
  const hash = `#endpoint/${endpoint.name}`;
  const variants = (endpoint.variants ?? []).map((variant) => ({
    arguments: [],
    command: "",
    name: "",
    ...variant,
  }));
  entries.set(hash, { absent: "", ...endpoint, variants, hash, path: endpoint.name });
}

/** Use the color theme chosen in Airflow's own pages, which share this origin. */
function applyTheme() {
  try {
    const airflow2 = { true: "dark", false: "light" }[localStorage.getItem("darkTheme") ?? ""];
    const theme = localStorage.getItem("theme") ?? airflow2; // "theme" is Airflow 3's
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage, the system's theme applies.
  }
}

// Views

/** @type {Map<string, Promise<View>>} */
const views = new Map();
let listLoaded = false;

/**
 * Create the view for an address that does not exist.
 * @returns {View}
 */
function notFoundView() {
  const element = el(
    "section",
    {},
    el("h2", { tabindex: -1 }, "Command not found"),
    el("p", {}, el("a", { href: "#" }, "Back to the start page")),
  );
  return { title: "Not found", element };
}

/**
 * Create the view for an address. The modules of a kind of view are loaded when the first one is opened.
 * @param {string} hash
 * @returns {Promise<View>}
 */
async function createView(hash) {
  if (hash === "#") return homeView(entries, showFailure);
  if (hash === "#jobs") return (await import("./jobs.js")).jobsView();
  if (hash.startsWith("#job/")) {
    return (await import("./jobs.js")).jobView(hash.slice("#job/".length), pageData.airflow);
  }
  const entry = entries.get(hash);
  if (entry) return (await import("./command.js")).commandView(entry, pageData.airflow);
  return notFoundView();
}

/**
 * Return the address of the view to show.
 * @returns {string}
 */
function currentHash() {
  try {
    return decodeURIComponent(location.hash) || "#";
  } catch {
    return location.hash; // not valid percent-encoding
  }
}

/**
 * Mark the links that lead to the current view.
 * @param {string} hash
 */
function markCurrentLinks(hash) {
  for (const link of document.querySelectorAll("header nav a[href^='#'], #catalog a")) {
    const target = link.getAttribute("href");
    const isSection = link.closest("header") && (target === "#jobs") === hash.startsWith("#job");
    if (target === hash || isSection) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/**
 * Return the view for an address, which is created the first time.
 * @param {string} hash
 * @returns {Promise<View>}
 */
async function getView(hash) {
  const pending = views.get(hash) ?? createView(hash);
  views.set(hash, pending);
  const view = await pending;
  if (view.title === "Not found") views.delete(hash);
  return view;
}

/**
 * Show a view, and hide the others.
 * @param {View} view
 * @param {string} hash
 */
function showView(view, hash) {
  if (!view.element.isConnected) main.append(view.element);
  for (const child of main.children) {
    if (child instanceof HTMLElement) child.hidden = child !== view.element;
  }
  markCurrentLinks(hash);
  document.body.className = hash === "#" ? "at-home" : "elsewhere";
  document.title = view.title ? `${view.title} – REST API` : "REST API";
  view.onShow?.();
}

/**
 * Show the view of the current address.
 * @param {boolean} moveFocus whether the user has followed a link
 */
async function showCurrentView(moveFocus) {
  const hash = currentHash();
  if (hash === "#main") return; // the link that skips to the content
  // The address of a live command means nothing until the list is there.
  if (hash.startsWith("#command/") && !entries.has(hash) && !listLoaded) return;
  const view = await getView(hash);
  if (hash !== currentHash()) return; // the user has moved on
  showView(view, hash);
  if (!moveFocus) return;
  main.scrollTop = 0;
  scrollTo(0, 0);
  view.element.querySelector("h2")?.focus({ preventScroll: true });
}

// The token and the list of commands

/**
 * Show a notice at the top of the page.
 * @param {string} text
 * @param {object} [options]
 * @param {boolean} [options.isError]
 * @param {boolean} [options.canRetry]
 */
function showNotice(text, { isError = true, canRetry = true } = {}) {
  notice.className = isError ? "bad" : "";
  notice.replaceChildren(el("span", {}, text));
  if (canRetry) notice.append(button("Try again", loadCommands, "small"));
}

/**
 * Show why a request failed.
 * @param {unknown} error
 */
function showFailure(error) {
  const message = messageOf(error);
  const canRetry = !(error instanceof ApiError && error.status === 403);
  if (message !== TOKEN_FAILED) showNotice(visible(message), { canRetry });
  else if (getToken()) {
    showNotice("The server rejected this token. Check it, or ask your Airflow administrator.", { canRetry });
  } else {
    const text = `This server requires a token. Enter it above. It is set by ${SETTING}; ask your Airflow administrator for it.`;
    showNotice(text, { isError: false, canRetry });
  }
}

/** Load the list of live commands, and show the current view again, which may be one of them. */
async function loadCommands() {
  try {
    if (!pageData.open && !getToken()) throw new ApiError(TOKEN_FAILED, 403);
    const catalog = await requestJson("commands");
    const live = listLiveCommands(catalog);
    for (const entry of live.entries) entries.set(entry.hash, entry);
    showGroups(catalog.airflow, live.groups);
    notice.replaceChildren();
    announce(`${entries.size} commands`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    clearLiveCommands();
    showGroups("", []);
    showFailure(error);
  }
  listLoaded = true;
  showCurrentView(false);
}

/** Show whether a token is in use. */
function showTokenState() {
  tokenField.placeholder = getToken() ? "set" : "not set";
  tokenButton.textContent = getToken() ? "Clear" : "Apply";
}

tokenField.addEventListener("input", () => {
  tokenButton.textContent = tokenField.value || !getToken() ? "Apply" : "Clear";
});
tokenForm.addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(tokenField.value.trim());
  tokenField.value = "";
  showTokenState();
  dispatchEvent(new Event("token"));
  loadCommands();
});
addEventListener("refused", (event) => {
  const error = /** @type {CustomEvent<ApiError>} */ (event).detail;
  if (error.message === TOKEN_FAILED) showFailure(error);
});
addEventListener("hashchange", () => showCurrentView(true));

applyTheme();
if (window.top !== window) byId("airflow", "a").hidden = true;
showTokenState();
showCurrentView(false);
loadCommands();
