// The page: what can be called, which view is open, and the token.

import { Failure, address, json, keep, request, token } from "./api.js";
import { button, copier, el, save, say, visible } from "./dom.js";

const byId = (id) => document.getElementById(id);
const [main, notice, catalogue] = ["main", "notice", "catalogue"].map(byId);
const known = JSON.parse(byId("known").textContent);
const entries = new Map(); // by the address of their view

for (const endpoint of known.endpoints) {
  const hash = `#endpoint/${endpoint.name}`;
  const forms = (endpoint.forms ?? []).map((form) => ({ arguments: [], command: "", name: "", ...form }));
  entries.set(hash, { absent: "", ...endpoint, forms, hash, path: endpoint.name });
}

// The user's choice in Airflow's own pages, which share this origin: 3.x has "theme", 2.x "darkTheme".
try {
  const chosen = localStorage.getItem("theme") ?? { true: "dark", false: "light" }[localStorage.getItem("darkTheme")];
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* no storage: as the system has it */ }
if (window.top !== window) byId("airflow").hidden = true;

// The first view

const FAVOURITES = ["list_dags", "trigger_dag", "deploy_dag", "backfill", "variables", "version"];

const groups = el("div");
// Each group of live commands is in the list; from here it is opened there.
const showGroups = (airflow, parts) => {
  const chips = parts.map((group) => button(group.querySelector("summary").firstChild.textContent, () => {
    group.open = true;
    group.scrollIntoView();
    group.querySelector("a").focus({ preventScroll: true });
  }, "small"));
  groups.replaceChildren(...(parts.length ? [el("h3", {}, `Every command of Airflow ${airflow}`), el("div", { class: "chips" }, ...chips)] : []));
};

const startView = () => {
  const line = () => `curl ${token() ? '-H "rest-api-plugin-http-token: $AIRFLOW_REMOTE_TOKEN" ' : ""}${address("version")}`;
  const pre = el("pre", { tabindex: 0, role: "region", "aria-label": "Example" }, line());
  addEventListener("token", () => { pre.textContent = line(); });
  const openapi = async () => {
    try {
      save([await (await request("openapi.json")).blob()], "openapi.json");
    } catch (error) {
      complain(error);
    }
  };
  const cards = FAVOURITES.map((name) => entries.get(`#endpoint/${name}`)).filter(Boolean)
    .map((entry) => el("a", { href: entry.hash }, el("code", {}, entry.name), el("span", {}, entry.help)));
  return { title: "", element: el("section", {}, el("h2", { tabindex: -1 }, "Airflow's command line, over HTTP"),
    el("p", {}, "Choose a command, fill in its form, and see what it prints while it runs. Each request is also shown as a line for your shell."),
    el("div", { class: "cards" }, ...cards), groups, el("h3", {}, "From a shell"),
    el("div", { class: "bar" }, el("span", { class: "dim" }, "The token goes into a header; arguments into the query, a form, or a JSON object."), copier("the curl line", line)), pre,
    el("h3", {}, "From other programs"), el("p", { class: "bar" }, "All routes, arguments and answers as OpenAPI 3.1", button("Save openapi.json", openapi, "small"))) };
};

// Which view is open

// What a view is made with is loaded when the first of its kind is opened.
const make = async (hash) => {
  if (hash === "#") return startView();
  if (hash === "#jobs") return (await import("./jobs.js")).jobsView();
  if (hash.startsWith("#job/")) return (await import("./jobs.js")).jobView(hash.slice(5), known.airflow);
  if (entries.has(hash)) return (await import("./command.js")).commandView(entries.get(hash), known.airflow);
  return { title: "Not found", element: el("section", {}, el("h2", { tabindex: -1 }, "There is no such command here"), el("p", {}, el("a", { href: "#" }, "To the start"))) };
};

const views = new Map();
let ready = false;
const hashNow = () => {
  try {
    return decodeURIComponent(location.hash) || "#";
  } catch {
    return location.hash;
  }
};

const go = async (moved) => {
  const hash = hashNow();
  if (hash === "#main") return; // the link to the content
  if (!views.has(hash)) {
    if (hash.startsWith("#command/") && !entries.has(hash) && !ready) return; // not known yet
    views.set(hash, make(hash));
  }
  const view = await views.get(hash);
  if (view.title === "Not found") views.delete(hash);
  if (hash !== hashNow()) return; // the visitor has gone on
  if (!view.element.isConnected) main.append(view.element);
  for (const child of main.children) child.hidden = child !== view.element;
  for (const link of document.querySelectorAll("header nav a[href^='#'], #catalogue a")) {
    const to = link.getAttribute("href");
    const here = to === hash || (link.closest("header") && (to === "#jobs") === hash.startsWith("#job"));
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.className = hash === "#" ? "at-home" : "elsewhere";
  document.title = view.title ? `${view.title} – REST API` : "REST API";
  view.opened?.();
  if (!moved) return;
  main.scrollTop = 0;
  scrollTo(0, 0);
  view.element.querySelector("h2").focus({ preventScroll: true });
};
addEventListener("hashchange", () => go(true));

// The list of commands

const item = (entry) => el("li", {}, el("a", { href: entry.hash, class: entry.refused ? "off" : "" }, el("code", {}, entry.name), " ", el("span", {}, visible(entry.help))));

const listLive = ({ airflow, groups, commands }) => {
  const byGroup = new Map([["", []], ...groups.map((group) => [group.name, []])]);
  for (const command of commands) {
    const words = command.name.split(" ");
    const hash = `#command/${words.join("/")}`;
    const entry = { ...command, live: true, absent: "", hash, path: `commands/${words.map(encodeURIComponent).join("/")}`,
      forms: [{ ...command, name: "", command: `airflow ${command.name}` }] };
    entries.set(hash, entry);
    const group = words.length > 1 ? words.slice(0, -1).join(" ") : "";
    if (!byGroup.has(group)) byGroup.set(group, []);
    if (!command.hidden) byGroup.get(group).push(entry);
  }
  const help = new Map(groups.map((group) => [group.name, group.help]));
  const parts = [...byGroup].filter(([, list]) => list.length).map(([name, list]) =>
    el("details", {}, el("summary", { title: visible(help.get(name) ?? "") }, name || "airflow", el("span", { class: "unseen" }, `, ${list.length} commands`)), el("ul", {}, ...list.map(item))));
  byId("live").replaceChildren(el("h2", {}, `Commands of Airflow ${airflow}`), ...parts);
  showGroups(airflow, parts);
  search();
};

const field = byId("search");
const search = () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const group of catalogue.querySelectorAll("details")) {
    let here = 0;
    for (const line of group.querySelectorAll("li")) {
      const text = line.textContent.toLowerCase();
      line.hidden = !words.every((word) => text.includes(word));
      here += !line.hidden;
    }
    group.hidden = !here;
    // What was opened by a search is closed after it.
    if (words.length && !("before" in group.dataset)) group.dataset.before = group.open;
    if (words.length) group.open = true;
    else if ("before" in group.dataset) {
      group.open = group.dataset.before === "true";
      delete group.dataset.before;
    }
    found += here;
  }
  byId("found").textContent = words.length ? `${found} commands found` : "";
};
field.addEventListener("input", search);

// The token

const SETTING = "[webserver] rest_api_plugin_expected_http_token in airflow.cfg";
const NO_TOKEN = "Token Authentication Failed"; // the server's words
const complain = (error) => {
  const failed = error.message === NO_TOKEN;
  const text = !failed ? visible(error.message)
    : token() ? "The server does not accept this token. Check it, or ask who runs this Airflow."
      : `This server wants a token: put it into the field above. It is what ${SETTING} says; who runs this Airflow can give it to you.`;
  notice.className = failed && !token() ? "" : "bad";
  notice.replaceChildren(el("span", {}, text), ...(error.status === 403 ? [] : [button("Try again", load, "small")]));
};

const load = async () => {
  try {
    if (!known.open && !token()) throw new Failure(NO_TOKEN, 403);
    listLive(await json("commands"));
    notice.replaceChildren();
    say(`${entries.size} commands`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    byId("live").replaceChildren();
    showGroups("", []);
    complain(error);
  }
  ready = true;
  go(false);
};

const [tokenForm, tokenField] = [byId("token"), byId("token-value")];
const tokenButton = tokenForm.querySelector("button");
const showToken = () => {
  tokenField.placeholder = token() ? "in use" : "none";
  tokenButton.textContent = token() ? "Forget" : "Use";
};
tokenField.addEventListener("input", () => { tokenButton.textContent = tokenField.value || !token() ? "Use" : "Forget"; });
tokenForm.addEventListener("submit", (event) => {
  event.preventDefault();
  keep(tokenField.value.trim());
  tokenField.value = "";
  showToken();
  dispatchEvent(new Event("token"));
  load();
});
addEventListener("refused", (event) => { if (event.detail.message === NO_TOKEN) complain(event.detail); });

showToken();
go(false);
load();
