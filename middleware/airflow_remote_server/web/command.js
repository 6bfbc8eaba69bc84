// The view of one command: what it is, its form, its lines for a shell, and what it does.

import { address } from "./api.js";
import { ask, copier, el, visible } from "./dom.js";
import { commandForm, requestFor } from "./forms.js";
import { curl, remote } from "./lines.js";
import { Panel } from "./run.js";

export const commandView = (entry, airflow) => {
  const form = entry.forms[0];
  const why = entry.refused || entry.absent;
  const readOnly = entry.forms.length && entry.forms.every((each) => each.read_only);
  const methods = entry.live && !readOnly ? "POST" : "GET, POST";
  const commands = [...new Set(entry.forms.map((each) => each.command).filter(Boolean))];
  const element = el("section", {}, el("h2", { tabindex: -1 }, entry.name), el("p", {}, visible(entry.help)),
    el("p", { class: "facts" }, el("span", { class: "tag" }, methods), el("code", {}, new URL(address(entry.path)).pathname),
      why ? "" : el("span", { class: readOnly ? "tag" : "tag warn" }, readOnly ? "changes nothing" : form.service ? "a service" : "changes something"),
      entry.long_running && el("span", { class: "tag" }, "may take minutes"), entry.prints_secrets && el("span", { class: "tag warn" }, "may print secrets")),
    commands.length && el("p", { class: "facts" }, el("span", { class: "dim" }, "becomes"), ...commands.map((each) => el("code", {}, each))));
  if (entry.description) element.append(el("p", { class: "prose" }, visible(entry.description)));
  if (why) element.append(el("p", { class: "box warn" }, visible(why)));
  else element.append(...runner(entry, airflow));
  if (entry.epilog) element.append(el("p", { class: "prose" }, visible(entry.epilog)));
  return { element, title: entry.name };
};

// What an endpoint's forms are called.
const label = (form) => form.name || form.command.split(" ").pop() || "list";

const runner = (entry, airflow) => {
  const built = new Map();
  const holder = el("div");
  const lines = ["curl", "airflow-remote"].map((name) => {
    const pre = el("pre", { tabindex: 0, role: "region", "aria-label": `The same by ${name}` });
    let text = "";
    return { show: (said) => { text = said; pre.textContent = visible(said); }, element: el("div", { class: "line" }, el("div", { class: "bar" }, el("span", { class: "tag" }, name), copier(`the ${name} line`, () => text)), pre) };
  });
  const output = el("div");
  const submit = el("button", { type: "submit", class: "first" }, "Run");
  const chooser = el("select", { id: `form-${entry.name}` }, ...entry.forms.map((form, at) => el("option", { value: at }, label(form))));
  // A default form that is listed by its name as well is shown once.
  const names = entry.forms.map((form) => form.name);
  if (names[0] === "" && names.includes(label(entry.forms[0]))) chooser.options[0].remove();
  const chosen = () => entry.forms[chooser.value || 0];
  const current = () => built.get(chosen());
  const values = (given) => (entry.confirm && given ? { ...given, [entry.confirm.argument]: true } : given);
  const write = () => {
    const given = values(current().peek());
    lines[0].show(curl(requestFor(entry, chosen(), given), chosen()));
    lines[1].show(remote(entry, chosen(), given));
  };
  const choose = () => {
    const form = chosen();
    if (!built.has(form)) built.set(form, commandForm(entry, form));
    holder.replaceChildren(current().element);
    submit.textContent = form.read_only ? "Run" : form.service ? "Start" : "Run …";
    write();
  };
  const run = async () => {
    const form = chosen();
    const given = values(current().read());
    if (!given) return;
    if (!form.read_only) {
      const said = [el("p", {}, "It changes something on the server that this page belongs to."), el("pre", {}, visible(remote(entry, form, given)))];
      if (entry.confirm) said.push(el("p", {}, "Airflow itself would ask before it acts; to go on here is the answer."));
      if (!(await ask(`Run ${entry.name}?`, said, form.service ? "Start it" : "Run it"))) return;
    }
    const panel = new Panel({ airflow });
    output.replaceChildren(panel.element);
    panel.send(requestFor(entry, form, given), form);
  };
  const element = el("form", { novalidate: true, submit: (event) => { event.preventDefault(); run(); }, input: write, change: write },
    entry.forms.length > 1 && el("div", { class: "fields" }, el("div", { class: "field" }, el("label", { for: chooser.id }, "What to do"), chooser)),
    holder, el("div", { class: "actions" }, submit));
  chooser.addEventListener("input", choose);
  if (entry.forms.length > 1) holder.className = "run";
  choose();
  addEventListener("token", write);
  return [element, output, el("details", { class: "more", open: true }, el("summary", {}, "The same request elsewhere"), ...lines.map((line) => line.element))];
};
