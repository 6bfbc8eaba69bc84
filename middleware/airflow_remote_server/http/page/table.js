// A command's result as a table.

import { el, visible } from "./dom.js";

const MAX_ROWS = 200;
const MAX_COLUMNS = 50;

/**
 * Return whether a value is an object that is not an array.
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Format the value of a cell.
 * @param {unknown} value
 * @returns {string}
 */
function formatCell(value) {
  if (value == null) return "";
  return visible(typeof value === "object" ? JSON.stringify(value) : value);
}

/**
 * Create a table of an object's names and values.
 * @param {[string, unknown][]} pairs
 * @returns {HTMLTableElement}
 */
function tableOfPairs(pairs) {
  const rows = pairs.map(([name, value]) =>
    el("tr", {}, el("th", { scope: "row" }, visible(name)), el("td", {}, formatCell(value))),
  );
  return el("table", {}, el("tbody", {}, ...rows));
}

/**
 * Create a table of objects, without columns that are empty.
 * @param {Record<string, unknown>[]} objects
 * @returns {HTMLTableElement}
 */
function tableOfObjects(objects) {
  const names = [...new Set(objects.slice(0, MAX_ROWS).flatMap(Object.keys))]
    .filter((name) => objects.some((object) => object[name] != null))
    .slice(0, MAX_COLUMNS);
  const heads = names.map((name) => el("th", { scope: "col" }, visible(name)));
  const rows = objects
    .slice(0, MAX_ROWS)
    .map((object) => el("tr", {}, ...names.map((name) => el("td", {}, formatCell(object[name])))));
  return el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
}

/**
 * Show a list of objects, or one object, as a table.
 * @param {unknown} value
 * @returns {HTMLElement | null} null if the value is neither
 */
export function resultTable(value) {
  let count, table;
  if (isObject(value)) {
    const pairs = Object.entries(value);
    count = pairs.length;
    table = tableOfPairs(pairs.slice(0, MAX_ROWS));
  } else if (Array.isArray(value) && value.every(isObject)) {
    count = value.length;
    table = tableOfObjects(value);
  }
  if (!count || !table) return null;
  const region = el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Result table" },
    table,
  );
  if (count <= MAX_ROWS) return region;
  const note = `Showing the first ${MAX_ROWS} of ${count} rows. The JSON has all of them.`;
  return el("div", {}, region, el("p", { class: "dim" }, note));
}
