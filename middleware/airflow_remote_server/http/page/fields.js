// Form fields: the right control for each kind of argument, its hint, and its validation.

/** @import { Argument, Attributes, Entry, Field } from "./types" */

import { listDagIds } from "./api.js";
import { button, el, visible } from "./dom.js";

// Airflow requires these but accepts an empty value (variables set, pools set).
const MAY_BE_EMPTY = new Set(["value", "description", "pool_description"]);

/**
 * A control while its field is being built.
 * @typedef {object} Built
 * @property {Field["control"]} control
 * @property {HTMLElement} [wrapper] element that holds the control and more
 * @property {string[]} [hints] sentences below the control
 * @property {Field["read"]} [read] returns the value; if it is not set, the value is the control's text
 */

let fieldCount = 0;

/**
 * Return whether an argument takes several values.
 * @param {Argument} argument
 * @returns {boolean}
 */
function takesSeveral({ repeatable, nargs }) {
  return Boolean(repeatable) || !(nargs == null || nargs === "?");
}

/**
 * Return whether an argument is a JSON document that gets an area of text.
 * @param {Argument} argument
 * @returns {boolean}
 */
function isJsonText({ kind = "text", secret }) {
  return kind.startsWith("json") && !secret;
}

/**
 * Return the error message for a JSON text; "" if it is valid.
 * @param {string} text
 * @param {boolean} mustBeObject
 * @returns {string}
 */
function jsonProblem(text, mustBeObject) {
  try {
    const value = JSON.parse(text);
    const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
    return mustBeObject && !isObject ? 'Enter a JSON object, such as {"name": "value"}.' : "";
  } catch (error) {
    return `Invalid JSON: ${error instanceof Error ? error.message : error}`;
  }
}

/**
 * Create an option of a select.
 * @param {string} value
 * @param {string} [label]
 * @returns {HTMLOptionElement}
 */
function option(value, label = value) {
  return el("option", { value }, visible(label));
}

/**
 * Return the placeholder that shows an argument's default value.
 * @param {Argument} argument
 * @returns {string}
 */
function defaultPlaceholder(argument) {
  return argument.default ? `default: ${argument.default}` : "";
}

/**
 * Put a calendar beside a date's text, which can hold more than a calendar can: offsets and microseconds.
 * @param {HTMLInputElement} input
 * @param {string} name
 * @returns {HTMLElement}
 */
function withCalendar(input, name) {
  const picker = el("input", {
    type: "datetime-local",
    class: "picker",
    tabindex: -1,
    "aria-hidden": "true",
    step: 1,
  });
  picker.addEventListener("input", () => {
    input.value = picker.value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const opener = button("Choose date", () => picker.showPicker());
  opener.setAttribute("aria-label", `Choose date for ${name}`);
  return el("div", { class: "with-button" }, input, "showPicker" in picker && opener, picker);
}

/**
 * Create a list of suggestions that holds the DAG IDs.
 * @param {string} id
 * @returns {HTMLDataListElement}
 */
function dagIdSuggestions(id) {
  const list = el("datalist", { id });
  listDagIds().then((dagIds) => list.append(...dagIds.map((value) => el("option", { value }))));
  return list;
}

/**
 * Build the control of a flag: a checkbox, or a select if the flag has an option for "no" as well.
 * @param {Argument} argument
 * @param {Attributes} attributes
 * @returns {Built}
 */
function buildFlag(argument, attributes) {
  if (!argument.off) {
    const checkbox = el("input", { ...attributes, type: "checkbox" });
    return { control: checkbox, read: () => (checkbox.checked ? true : undefined) };
  }
  const options = [option("", "default"), option("true", "yes"), option("false", "no")];
  const control = el("select", attributes, ...options);
  return { control, read: () => (control.value ? control.value === "true" : undefined) };
}

/**
 * Build a text area that takes one value per line.
 * @param {Argument} argument
 * @param {Attributes} attributes
 * @returns {Built}
 */
function buildList(argument, attributes) {
  const control = el("textarea", { ...attributes, rows: 2, placeholder: defaultPlaceholder(argument) });
  const hints = ["One value per line."];
  if (argument.choices?.length) hints.push(`Choices: ${argument.choices.join(", ")}.`);
  const read = () => {
    const lines = control.value.split("\n").filter((line) => line !== "");
    return lines.length ? lines : undefined;
  };
  return { control, hints, read };
}

/**
 * Build a select of an argument's choices.
 * @param {Argument} argument
 * @param {Attributes} attributes
 * @param {Entry} entry
 * @returns {Built}
 */
function buildChoice(argument, attributes, entry) {
  const { choices = [], required, name } = argument;
  const none = option("", required ? "Choose one" : defaultPlaceholder(argument));
  const control = el("select", attributes, none, ...choices.map((choice) => option(choice)));
  // The page can show JSON as a table.
  if (entry.json && name === "output" && choices.includes("json")) control.value = "json";
  return { control };
}

/**
 * Build a text area for JSON.
 * @param {Argument} argument
 * @param {Attributes} attributes
 * @returns {Built}
 */
function buildJson(argument, attributes) {
  const placeholder = argument.kind === "json" ? "" : "{}";
  const control = el("textarea", { ...attributes, rows: 3, placeholder });
  return { control, hints: argument.help?.includes("JSON") ? [] : ["JSON."] };
}

/**
 * Build the control of one line of text.
 * @param {Argument} argument
 * @param {Attributes} attributes
 * @param {Entry} entry
 * @returns {Built}
 */
function buildText(argument, attributes, entry) {
  const { name, kind, required, secret } = argument;
  const type = secret ? "password" : "text";
  const control = el("input", { ...attributes, type, placeholder: defaultPlaceholder(argument) });
  if (kind === "date") {
    control.placeholder = "2026-01-31T12:00:00Z";
    const hints = ["ISO 8601. Without an offset, Airflow's default time zone applies."];
    return { control, hints, wrapper: withCalendar(control, name) };
  }
  if (kind === "download") {
    control.placeholder = required ? `${entry.name.split(" ")[0]}.json` : "";
    if (required) control.value = control.placeholder;
    return {
      control,
      hints: ["The name of a file to download when the command has finished. Use - to show the output here."],
    };
  }
  if (name === "dag_id") {
    const listId = `${control.id}-list`;
    control.setAttribute("list", listId);
    return { control, wrapper: el("div", {}, control, dagIdSuggestions(listId)) };
  }
  return { control };
}

/**
 * Build the control that fits an argument.
 * @param {Argument} argument
 * @param {Attributes} attributes common to all controls
 * @param {Entry} entry
 * @returns {Built}
 */
function buildControl(argument, attributes, entry) {
  const { kind } = argument;
  if (kind === "flag") return buildFlag(argument, attributes);
  if (kind === "upload") {
    const control = el("input", { ...attributes, type: "file" });
    return { control, read: () => control.files?.[0] };
  }
  if (takesSeveral(argument)) return buildList(argument, attributes);
  if (argument.choices?.length) return buildChoice(argument, attributes, entry);
  if (isJsonText(argument)) return buildJson(argument, attributes);
  if (kind === "integer" || kind === "number") {
    const step = kind === "integer" ? 1 : "any";
    const placeholder = defaultPlaceholder(argument);
    return { control: el("input", { ...attributes, type: "number", step, placeholder }) };
  }
  return buildText(argument, attributes, entry);
}

/**
 * Return the error message for a control's value; "" if it is valid.
 * @param {Argument} argument
 * @param {Field["control"]} control
 * @param {Field["read"]} read
 * @returns {string}
 */
function findProblem({ kind = "text", required }, control, read) {
  if (control.validity.badInput) return "Enter a number.";
  if (required && read() === undefined) return "This field is required.";
  if (kind.startsWith("json") && control.value) return jsonProblem(control.value, kind === "json_object");
  if (kind === "integer" && control.validity.stepMismatch) return "Enter a whole number.";
  return "";
}

/**
 * Lay out a field.
 * @param {Argument} argument
 * @param {Built} built
 * @param {HTMLElement} message where validation shows its message
 * @returns {HTMLElement}
 */
function layOut(argument, { control, wrapper, hints = [] }, message) {
  const required = argument.required && el("span", { class: "need", title: "required" }, " *");
  const label = el("label", { for: control.id }, el("code", {}, argument.name), required);
  const help = argument.help?.replace(/[^.!?:]$/, "$&.");
  const hintText = visible([help, ...hints].filter(Boolean).join(" "));
  const hint = el("p", { class: "hint", id: `${control.id}-hint` }, hintText);
  const isCheckbox = control.type === "checkbox";
  const className = `field${isCheckbox ? " flag" : ""}${isJsonText(argument) ? " wide" : ""}`;
  const parts = isCheckbox ? [control, label] : [label, wrapper ?? control];
  return el("div", { class: className }, ...parts, message, hint);
}

/**
 * Create the field of an argument.
 * @param {Argument} argument
 * @param {Entry} entry
 * @returns {Field}
 */
export function createField(argument, entry) {
  const { name, required } = argument;
  fieldCount += 1;
  const id = `field-${fieldCount}`;
  const message = el("p", { class: "wrong", id: `${id}-wrong`, role: "alert" });
  const attributes = {
    id,
    name,
    "aria-describedby": `${id}-wrong ${id}-hint`,
    "aria-required": required ? "true" : null,
    autocomplete: "off",
    spellcheck: "false",
  };
  const built = buildControl(argument, attributes, entry);
  const { control } = built;
  const emptyIsValue = required && MAY_BE_EMPTY.has(name);
  const read = built.read ?? (() => (control.value === "" && !emptyIsValue ? undefined : control.value));
  const validate = () => {
    const problem = findProblem(argument, control, read);
    message.textContent = problem;
    if (problem) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
    return problem;
  };
  // While the user types, only a message that is there already is updated.
  control.addEventListener("input", () => {
    if (control.hasAttribute("aria-invalid")) validate();
  });
  control.addEventListener("change", () => {
    if (control.value) validate();
  });
  return { name, control, read, validate, element: layOut(argument, built, message) };
}
