// The list of commands: live commands are added to the classic endpoints, and a search filters both.

/** @import { Catalog, Entry, LiveCommand } from "./types" */

import { byId, el, visible } from "./dom.js";

const sidebar = byId("catalog", "nav");
const liveCommands = byId("live", "div");
const searchField = byId("search", "input");
const searchStatus = byId("search-status", "p");

/**
 * Return the sidebar's entry for a live command.
 * @param {LiveCommand} command
 * @returns {Entry}
 */
function entryOf(command) {
  const words = command.name.split(" ");
  return {
    ...command,
    live: true,
    absent: "",
    hash: `#command/${words.join("/")}`,
    path: `commands/${words.map(encodeURIComponent).join("/")}`,
    variants: [{ ...command, name: "", command: `airflow ${command.name}` }],
  };
}

/**
 * Create the item of an entry.
 * @param {Entry} entry
 * @returns {HTMLElement}
 */
function createItem(entry) {
  const help = el("span", {}, visible(entry.help));
  const link = el(
    "a",
    { href: entry.hash, class: entry.refused ? "off" : "" },
    el("code", {}, entry.name),
    " ",
    help,
  );
  return el("li", {}, link);
}

/**
 * Create the section of a group of commands.
 * @param {string} name "" for commands without a group
 * @param {string} help
 * @param {Entry[]} entries
 * @returns {HTMLDetailsElement}
 */
function createGroup(name, help, entries) {
  const count = el("span", { class: "visually-hidden" }, `, ${entries.length} commands`);
  const summary = el("summary", { title: visible(help) }, name || "airflow", count);
  return el("details", {}, summary, el("ul", {}, ...entries.map(createItem)));
}

/**
 * List the live commands.
 * @param {Catalog} catalog
 * @returns {{ entries: Entry[], groups: HTMLDetailsElement[] }} all entries, and the groups of those listed
 */
export function listLiveCommands({ airflow, groups, commands }) {
  /** @type {Map<string, Entry[]>} */
  const byGroup = new Map([["", []]]);
  for (const group of groups) byGroup.set(group.name, []);
  const entries = [];
  for (const command of commands) {
    const entry = entryOf(command);
    entries.push(entry);
    const group = command.name.split(" ").slice(0, -1).join(" ");
    if (!byGroup.has(group)) byGroup.set(group, []);
    if (!command.hidden) byGroup.get(group)?.push(entry);
  }
  const helpOf = new Map(groups.map((group) => [group.name, group.help]));
  const sections = [...byGroup]
    .filter(([, listed]) => listed.length)
    .map(([name, listed]) => createGroup(name, helpOf.get(name) ?? "", listed));
  liveCommands.replaceChildren(el("h2", {}, `Airflow ${airflow} commands`), ...sections);
  search();
  return { entries, groups: sections };
}

/** Remove the live commands. */
export function clearLiveCommands() {
  liveCommands.replaceChildren();
}

/**
 * Open a group while a search is active, and restore it afterward.
 * @param {HTMLDetailsElement} group
 * @param {boolean} isSearching
 */
function openForSearch(group, isSearching) {
  const { dataset } = group;
  if (isSearching) {
    dataset.openBefore ??= String(group.open);
    group.open = true;
  } else if (dataset.openBefore !== undefined) {
    group.open = dataset.openBefore === "true";
    delete dataset.openBefore;
  }
}

/** Show only the commands whose name and help contain every word of the search field. */
function search() {
  const words = searchField.value.toLowerCase().split(/\s+/).filter(Boolean);
  let total = 0;
  for (const group of sidebar.querySelectorAll("details")) {
    let matches = 0;
    for (const item of group.querySelectorAll("li")) {
      const text = item.textContent.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
      if (!item.hidden) matches += 1;
    }
    group.hidden = !matches;
    openForSearch(group, words.length > 0);
    total += matches;
  }
  searchStatus.textContent = words.length ? `${total} commands found` : "";
}
searchField.addEventListener("input", search);
