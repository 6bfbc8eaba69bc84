// The view of one command: its description, its form, equivalent shell commands, and its run.

/** @import { CommandForm, Confirmation, Entry, Values, Variant, View } from "./types" */

import { messageOf, requestJson, urlOf } from "./api.js";
import { confirmInDialog, copyButton, el, visible } from "./dom.js";
import { createForm, createRequest } from "./forms.js";
import { Run } from "./run.js";
import { clientLine, curlLine } from "./shell_lines.js";

/**
 * Return the name of a variant, as the user chooses it.
 * @param {Variant} variant
 * @returns {string}
 */
function labelOf(variant) {
  return variant.name || variant.command.split(" ").pop() || "list";
}

/**
 * Create a tag.
 * @param {string} text
 * @param {string} [kind] "warn" to highlight it
 * @returns {HTMLElement}
 */
function tag(text, kind = "") {
  return el("span", { class: `tag ${kind}` }, text);
}

/**
 * Create the tag for a command's effect: read-only, service, or modifies data.
 * @param {Entry} entry
 * @param {boolean} readOnly
 * @returns {HTMLElement}
 */
function effectTag(entry, readOnly) {
  if (readOnly) return tag("read-only");
  return tag(entry.variants[0].service ? "service" : "modifies data", "warn");
}

/**
 * Create the line of facts about a command.
 * @param {Entry} entry
 * @param {boolean} usable
 * @returns {HTMLElement}
 */
function factsLine(entry, usable) {
  const readOnly = entry.variants.length > 0 && entry.variants.every((variant) => variant.read_only);
  return el(
    "p",
    { class: "facts" },
    tag(entry.live && !readOnly ? "POST" : "GET, POST"),
    el("code", {}, new URL(urlOf(entry.path)).pathname),
    usable && effectTag(entry, readOnly),
    entry.long_running && tag("long-running"),
    entry.prints_secrets && tag("may print secrets", "warn"),
  );
}

/**
 * Create the line that names the equivalent Airflow commands.
 * @param {Entry} entry
 * @returns {HTMLElement | null}
 */
function equivalentLine(entry) {
  const commands = [...new Set(entry.variants.map((variant) => variant.command).filter(Boolean))];
  if (!commands.length) return null;
  const label = el(
    "span",
    { class: "dim" },
    commands.length > 1 ? "Equivalent commands:" : "Equivalent command:",
  );
  return el("p", { class: "facts" }, label, ...commands.map((command) => el("code", {}, command)));
}

/**
 * Create an area that shows a shell command and can copy it.
 * @param {string} program
 * @returns {{ element: HTMLElement, show: (line: string) => void }}
 */
function createShellLine(program) {
  const label = `${program} command`;
  const pre = el("pre", { tabindex: 0, role: "region", "aria-label": label });
  let currentLine = "";
  const bar = el(
    "div",
    { class: "bar" },
    tag(program),
    copyButton(label, () => currentLine),
  );
  const show = (/** @type {string} */ line) => {
    currentLine = line;
    pre.textContent = visible(line);
  };
  return { element: el("div", { class: "line" }, bar, pre), show };
}

/**
 * Create the select that chooses one of an endpoint's variants.
 * @param {Entry} entry
 * @returns {HTMLSelectElement}
 */
function createChooser(entry) {
  const options = entry.variants.map((variant, index) => el("option", { value: index }, labelOf(variant)));
  const chooser = el("select", { id: `action-${entry.name}` }, ...options);
  // A default variant that can also be chosen by name appears once.
  const names = entry.variants.map((variant) => variant.name);
  if (names[0] === "" && names.includes(labelOf(entry.variants[0]))) chooser.options[0].remove();
  return chooser;
}

/**
 * Return whether a command would ask, and the server can return its question.
 * @param {Confirmation} confirm
 * @param {Values} values
 * @returns {boolean}
 */
function isAsked({ preview, when = [], unless = [] }, values) {
  const isSet = (/** @type {string} */ name) => Boolean(values[name]);
  return Boolean(preview) && !unless.some(isSet) && (when.length === 0 || when.some(isSet));
}

/**
 * Show what a command would ask: what it is about to change.
 * @param {Entry} entry
 * @param {Confirmation} confirm
 * @param {Variant} variant
 * @param {Values} values
 * @returns {HTMLElement} filled when the server has responded
 */
function showQuestion(entry, confirm, variant, values) {
  const question = el("pre", { class: "question", "aria-live": "polite" }, "Asking what would be changed…");
  const { path, headers, body } = createRequest(entry, variant, { ...values, [confirm.argument]: false });
  requestJson(path, { method: "POST", headers, body }).then(
    (envelope) => (question.textContent = visible(envelope.stdout?.trim() || "Nothing would be changed.")),
    (error) => (question.textContent = messageOf(error)),
  );
  return question;
}

/**
 * Ask whether to run a command that modifies data.
 * @param {Entry} entry
 * @param {Variant} variant
 * @param {Values} values
 * @returns {Promise<boolean>}
 */
function confirmRun(entry, variant, values) {
  /** @type {HTMLElement[]} */
  const content = [
    el("p", {}, "This command modifies data on the server."),
    el("pre", {}, visible(clientLine(entry, variant, values))),
  ];
  if (entry.confirm) {
    content.push(el("p", {}, "Airflow would ask for confirmation. If you continue, the answer is yes."));
    if (isAsked(entry.confirm, values)) content.push(showQuestion(entry, entry.confirm, variant, values));
  }
  return confirmInDialog(`Run ${entry.name}?`, content, variant.service ? "Start" : "Run");
}

/**
 * Create the form of a command, with the area for its output and the equivalent shell commands.
 * @param {Entry} entry
 * @param {number} airflow major version of Airflow
 * @returns {HTMLElement[]}
 */
function createRunner(entry, airflow) {
  const chooser = createChooser(entry);
  const submit = el("button", { type: "submit", class: "primary" });
  const fields = el("div", { class: entry.variants.length > 1 ? "run" : "" });
  const output = el("div");
  const curl = createShellLine("curl");
  const client = createShellLine("airflow-remote");

  /** @type {Map<Variant, CommandForm>} */
  const forms = new Map();
  const currentVariant = () => entry.variants[Number(chooser.value)];
  const currentForm = () => {
    const variant = currentVariant();
    const form = forms.get(variant) ?? createForm(entry, variant);
    forms.set(variant, form);
    return form;
  };
  const withConfirmation = (/** @type {Values} */ values) =>
    entry.confirm ? { ...values, [entry.confirm.argument]: true } : values;

  const updateLines = () => {
    const variant = currentVariant();
    const values = withConfirmation(currentForm().peek());
    curl.show(curlLine(createRequest(entry, variant, values), variant));
    client.show(clientLine(entry, variant, values));
  };
  const showVariant = () => {
    const variant = currentVariant();
    fields.replaceChildren(currentForm().element);
    submit.textContent = variant.service ? "Start" : "Run";
    if (variant.read_only) submit.removeAttribute("aria-haspopup");
    else submit.setAttribute("aria-haspopup", "dialog");
    updateLines();
  };
  const start = async () => {
    const variant = currentVariant();
    const formValues = currentForm().read();
    if (!formValues) return;
    const values = withConfirmation(formValues);
    if (!variant.read_only && !(await confirmRun(entry, variant, values))) return;
    const run = new Run({ airflow });
    output.replaceChildren(run.element);
    run.start(createRequest(entry, variant, values), variant);
  };

  const chooserField = el("div", { class: "field" }, el("label", { for: chooser.id }, "Action"), chooser);
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    start();
  };
  const form = el(
    "form",
    { novalidate: true, submit: onSubmit, input: updateLines, change: updateLines },
    entry.variants.length > 1 && el("div", { class: "fields" }, chooserField),
    fields,
    el("div", { class: "actions" }, submit),
  );
  const summary = el("summary", {}, "Run from a terminal");
  const lines = el("details", { class: "more", open: true }, summary, curl.element, client.element);
  chooser.addEventListener("input", showVariant);
  addEventListener("token", updateLines);
  showVariant();
  return [form, output, lines];
}

/**
 * Create the view of a command.
 * @param {Entry} entry
 * @param {number} airflow major version of Airflow
 * @returns {View}
 */
export function commandView(entry, airflow) {
  const unusable = entry.refused || entry.absent;
  const prose = (/** @type {string | undefined} */ text) =>
    text ? el("p", { class: "prose" }, visible(text)) : null;
  const element = el(
    "section",
    {},
    el("h2", { tabindex: -1 }, entry.name),
    el("p", {}, visible(entry.help)),
    factsLine(entry, !unusable),
    equivalentLine(entry),
    prose(entry.description),
    ...(unusable ? [el("p", { class: "box warn" }, visible(unusable))] : createRunner(entry, airflow)),
    prose(entry.epilog),
  );
  return { element, title: entry.name };
}
