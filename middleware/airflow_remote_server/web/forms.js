// A form for one command: a control for each argument, and what they say.

import { address, dagIds } from "./api.js";
import { button, el, visible } from "./dom.js";

const MANY = 12; // of more values than this, only the required ones are shown at once

let count = 0;
const unique = () => `field-${(count += 1)}`;

// Airflow takes an empty text for these although they are required (variables set, pools set).
const MAY_BE_EMPTY = new Set(["value", "description", "pool_description"]);

const several = (argument) => argument.repeatable || !(argument.nargs == null || argument.nargs === "?");

const jsonProblem = (text, object) => {
  try {
    const value = JSON.parse(text);
    return object && (value === null || typeof value !== "object" || Array.isArray(value)) ? "This must be a JSON object, as {\"name\": \"value\"}." : "";
  } catch (error) {
    return `This is not JSON: ${error.message}`;
  }
};

const option = (value, label = value) => el("option", { value }, visible(label));

// A date's calendar fills the text beside it, which can say more than a calendar: offsets, microseconds.
const withCalendar = (input, name) => {
  const picker = el("input", { type: "datetime-local", class: "picker", tabindex: -1, "aria-hidden": "true", step: 1 });
  picker.addEventListener("input", () => {
    input.value = picker.value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const opener = button("Pick", () => picker.showPicker());
  opener.setAttribute("aria-label", `Pick ${name} from a calendar`);
  return el("div", { class: "with" }, input, picker.showPicker && opener, picker);
};

const listed = (id) => {
  const list = el("datalist", { id });
  dagIds().then((ids) => list.append(...ids.map((value) => el("option", { value }))));
  return list;
};

// One argument: its element, its value (undefined when there is none), and what is wrong with it.
const field = (argument, entry) => {
  const { name, kind = "text", choices = [], required, secret } = argument;
  const id = unique();
  const [hint, wrong] = [el("p", { class: "hint", id: `${id}-hint` }), el("p", { class: "wrong", id: `${id}-wrong`, role: "alert" })];
  const label = el("label", { for: id }, el("code", {}, name), required && el("span", { class: "need", title: "required" }, " *"));
  const said = [argument.help?.replace(/[^.!?:]$/, "$&.")];
  const common = { id, name, "aria-describedby": `${id}-wrong ${id}-hint`, "aria-required": required ? "true" : null, autocomplete: "off", spellcheck: "false" };
  const placeholder = argument.default ? `default: ${argument.default}` : "";
  const made = { name, secret };
  let control, shell, text = () => control.value;
  if (kind === "flag" && !argument.off) {
    control = el("input", { ...common, type: "checkbox" });
    made.read = () => (control.checked ? true : undefined);
  } else if (kind === "flag") {
    control = el("select", common, option("", "as Airflow has it"), option("true", "yes"), option("false", "no"));
    made.read = () => ({ true: true, false: false })[control.value];
  } else if (kind === "upload") {
    control = el("input", { ...common, type: "file" });
    made.read = () => control.files[0];
    text = () => control.value;
  } else if (several(argument)) {
    control = el("textarea", { ...common, rows: 2, placeholder });
    said.push("Several values: one on each line.", choices.length && `Of ${choices.join(", ")}.`);
    made.read = () => {
      const lines = control.value.split("\n").filter((line) => line !== "");
      return lines.length ? lines : undefined;
    };
  } else if (choices.length) {
    const none = required ? "choose one" : argument.default ? `default: ${argument.default}` : "";
    control = el("select", common, option("", none), ...choices.map((value) => option(value)));
    // A result in JSON can be shown as a table.
    if (entry.json && name === "output" && choices.includes("json")) control.value = "json";
  } else if (kind.startsWith("json") && !secret) {
    control = el("textarea", { ...common, rows: 3, placeholder: kind === "json" ? "" : "{}" });
    if (!said[0]?.includes("JSON")) said.push("JSON.");
  } else if (kind === "integer" || kind === "number") {
    control = el("input", { ...common, type: "number", step: kind === "integer" ? 1 : "any", placeholder });
  } else {
    control = el("input", { ...common, type: secret ? "password" : "text", placeholder });
    if (kind === "date") {
      control.placeholder = "2026-01-31T12:00:00Z";
      said.push("ISO 8601; without an offset, in Airflow's own time zone.");
      shell = withCalendar(control, name);
    } else if (kind === "download") {
      said.push("A name: the file is offered here afterwards. - is the output below.");
      control.placeholder = required ? `${entry.name.split(" ")[0]}.json` : "";
      if (required) control.value = control.placeholder;
    } else if (name === "dag_id") {
      control.setAttribute("list", `${id}-list`);
      shell = el("div", {}, control, listed(`${id}-list`));
    }
  }
  made.read ??= () => (control.value === "" && !(required && MAY_BE_EMPTY.has(name)) ? undefined : control.value);
  // What is wrong, said beside it: now, if it was said already; always, before it is sent.
  made.check = () => {
    let problem = "";
    if (control.validity.badInput) problem = "This is not a number.";
    else if (required && made.read() === undefined) problem = "This is required.";
    else if (kind.startsWith("json") && text()) problem = jsonProblem(text(), kind === "json_object");
    else if (kind === "integer" && control.validity.stepMismatch) problem = "This must be a whole number.";
    wrong.textContent = problem;
    if (problem) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
    return problem;
  };
  control.addEventListener("input", () => control.hasAttribute("aria-invalid") && made.check());
  control.addEventListener("change", () => control.value && made.check());
  hint.textContent = visible(said.filter(Boolean).join(" "));
  const flag = control.type === "checkbox";
  const wide = kind.startsWith("json") && !secret;
  made.control = control;
  made.element = el("div", { class: `field${flag ? " flag" : ""}${wide ? " wide" : ""}` }, ...(flag ? [control, label] : [label, shell ?? control]), wrong, hint);
  return made;
};

// The form of one command; `read` gives the values, or nothing after it has said what is wrong.
export const commandForm = (entry, form) => {
  const usable = form.arguments.filter((argument) => !argument.ignored && !argument.refused);
  const confirmed = entry.confirm?.argument;
  // Not asked for: what the page itself gives, and the folder of a job's files.
  const own = (argument) => argument.name === confirmed || argument.kind === "stdout" || argument.kind === "folder";
  const fields = usable.filter((argument) => !own(argument)).map((argument) => field(argument, entry));
  const flags = fields.filter((made) => made.control.type === "checkbox");
  const values = fields.filter((made) => !flags.includes(made));
  const needed = new Set(usable.filter((argument) => argument.required).map((argument) => argument.name));
  const first = values.filter((made) => needed.has(made.name) || values.length <= MANY);
  const others = [values.filter((made) => !first.includes(made)), flags];
  const grid = (list) => list.length && el("div", { class: "fields" }, ...list.map((made) => made.element));
  const rest = others.map(grid).filter(Boolean);
  const refused = form.arguments.filter((argument) => argument.refused);
  const element = el("div", {},
    grid(first) || null,
    ...(first.length === values.length && flags.length < 4 ? rest : [el("details", { class: "more", open: !first.length }, el("summary", {}, `${first.length ? "More arguments" : "Arguments"} (${others.flat().length})`), ...rest)]),
    usable.some((argument) => argument.kind === "folder") && el("p", { class: "box dim" }, "The files that it writes are offered here afterwards."),
    refused.length && el("details", { class: "more" }, el("summary", {}, `Not accepted over HTTP (${refused.length})`),
      el("ul", { class: "refused" }, ...refused.map((argument) => el("li", {}, el("code", {}, argument.name), ` – ${visible(argument.refused)}`)))));
  const peek = () => {
    const given = {};
    for (const made of fields) {
      const value = made.read();
      if (value !== undefined) given[made.name] = value;
    }
    for (const argument of usable) {
      if (argument.kind === "stdout") given[argument.name] = "-";
      if (argument.kind === "folder" && argument.required) given[argument.name] = "files";
    }
    return given;
  };
  const read = () => {
    const wrong = fields.filter((made) => made.check());
    if (!wrong.length) return peek();
    for (let parent = wrong[0].element; parent; parent = parent.parentElement) if (parent.tagName === "DETAILS") parent.open = true;
    wrong[0].control.focus();
    return null;
  };
  return { element, peek, read };
};

// What is sent for the values of a form.
export const requestFor = (entry, form, values) => {
  const given = form.name ? { cmd: form.name, ...values } : values;
  const headers = {};
  let body;
  if (Object.values(given).some((value) => value instanceof File)) {
    body = new FormData();
    for (const [name, value] of Object.entries(given)) for (const item of [value].flat()) body.append(name, item);
  } else {
    body = JSON.stringify(given);
    headers["Content-Type"] = "application/json";
  }
  return { path: entry.path, given, body, headers, url: address(entry.path) };
};
