// The form of one command, and the request that sends its values.

/** @import { Argument, CommandForm, CommandRequest, Entry, Field, Values, Variant } from "./types" */

import { urlOf } from "./api.js";
import { el, visible } from "./dom.js";
import { createField } from "./fields.js";

const MAX_SHOWN = 12; // if a form has more fields than this, optional ones are folded
const MAX_FLAGS_SHOWN = 3;

/**
 * Lay fields out in a grid.
 * @param {Field[]} fields
 * @returns {HTMLElement | null} null if there are none
 */
function gridOf(fields) {
  return fields.length ? el("div", { class: "fields" }, ...fields.map((field) => field.element)) : null;
}

/**
 * Create the list of arguments that are not accepted over HTTP.
 * @param {Argument[]} refused
 * @returns {HTMLElement}
 */
function listRefused(refused) {
  const items = refused.map(({ name, refused: reason }) =>
    el("li", {}, el("code", {}, name), ` – ${visible(reason)}`),
  );
  const summary = el("summary", {}, `Not available over HTTP (${refused.length})`);
  return el("details", { class: "more" }, summary, el("ul", { class: "refused" }, ...items));
}

/**
 * Lay out a form: required fields first, optional ones folded if there are many.
 * @param {Field[]} fields
 * @param {Argument[]} usable
 * @returns {(HTMLElement | null)[]}
 */
function layOut(fields, usable) {
  const required = new Set(usable.filter((argument) => argument.required).map((argument) => argument.name));
  const flags = fields.filter((field) => field.control.type === "checkbox");
  const others = fields.filter((field) => !flags.includes(field));
  const shown = others.filter((field) => required.has(field.name) || others.length <= MAX_SHOWN);
  const hidden = others.filter((field) => !shown.includes(field));
  const rest = [gridOf(hidden), gridOf(flags)];
  if (!hidden.length && flags.length <= MAX_FLAGS_SHOWN) return [gridOf(shown), ...rest];
  const title = `${shown.length ? "More arguments" : "Arguments"} (${hidden.length + flags.length})`;
  const folded = el("details", { class: "more", open: !shown.length }, el("summary", {}, title), ...rest);
  return [gridOf(shown), folded];
}

/**
 * Unfold everything that hides an element.
 * @param {HTMLElement} element
 */
function reveal(element) {
  for (let parent = element.parentElement; parent; parent = parent.parentElement) {
    if (parent instanceof HTMLDetailsElement) parent.open = true;
  }
}

/**
 * Create the form of a command.
 * @param {Entry} entry
 * @param {Variant} variant
 * @returns {CommandForm}
 */
export function createForm(entry, variant) {
  const usable = variant.arguments.filter((argument) => !argument.ignored && !argument.refused);
  const refused = variant.arguments.filter((argument) => argument.refused);
  // The page sets these itself: the answer to a confirmation, and where output and files go.
  const isAutomatic = (/** @type {Argument} */ { name, kind }) =>
    name === entry.confirm?.argument || kind === "stdout" || kind === "folder";
  const fields = usable
    .filter((argument) => !isAutomatic(argument))
    .map((argument) => createField(argument, entry));
  const writesFiles = usable.some((argument) => argument.kind === "folder");
  const filesNote = "Files that the command writes can be downloaded here when it has finished.";
  const element = el(
    "div",
    {},
    ...layOut(fields, usable),
    writesFiles && el("p", { class: "box dim" }, filesNote),
    refused.length > 0 && listRefused(refused),
  );

  const peek = () => {
    /** @type {Values} */
    const values = {};
    for (const field of fields) {
      const value = field.read();
      if (value !== undefined) values[field.name] = value;
    }
    for (const { name, kind, required } of usable) {
      if (kind === "stdout") values[name] = "-";
      if (kind === "folder" && required) values[name] = "files";
    }
    return values;
  };

  const read = () => {
    const invalid = fields.filter((field) => field.validate());
    if (!invalid.length) return peek();
    reveal(invalid[0].element);
    invalid[0].control.focus();
    return null;
  };

  return { element, peek, read };
}

/**
 * Create a multipart form.
 * @param {Values} values
 * @returns {FormData}
 */
function multipart(values) {
  const body = new FormData();
  for (const [name, value] of Object.entries(values)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      body.append(name, item instanceof File ? item : String(item));
    }
  }
  return body;
}

/**
 * Create the request that runs a command.
 * @param {Entry} entry
 * @param {Variant} variant
 * @param {Values} formValues
 * @returns {CommandRequest}
 */
export function createRequest(entry, variant, formValues) {
  const values = variant.name ? { cmd: variant.name, ...formValues } : formValues;
  const target = { path: entry.path, url: urlOf(entry.path), values };
  if (Object.values(values).some((value) => value instanceof File)) {
    return { ...target, headers: {}, body: multipart(values) };
  }
  return { ...target, headers: { "Content-Type": "application/json" }, body: JSON.stringify(values) };
}
