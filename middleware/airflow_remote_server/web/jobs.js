// The list of jobs, and the page of one.

import { json, looked, pause } from "./api.js";
import { button, duration, el, visible } from "./dom.js";
import { Panel, active, jobLink, seconds, stateOf } from "./run.js";

const ROUND = 2000; // milliseconds between looks at the list
const STATES = ["queued", "running", "succeeded", "failed", "stopped", "timed_out", "lost"];

const when = (moment) => {
  const time = new Date(moment);
  const today = time.toDateString() === new Date().toDateString();
  return el("time", { datetime: moment, title: moment }, today ? time.toLocaleTimeString() : time.toLocaleString());
};

const row = (job, complain) => {
  const stop = () => json(`jobs/${job.id}/stop`, { method: "POST", headers: { Prefer: "respond-async" } }).catch((error) => complain(error.message));
  const link = jobLink(job.id);
  link.textContent = visible(job.airflow_cmd || job.name);
  const stopper = active(job.state) && button("Stop", stop, "stop small");
  if (stopper) stopper.setAttribute("aria-label", `Stop ${visible(job.airflow_cmd || job.name)}`);
  return el("tr", {},
    el("td", {}, stateOf(job.state)), el("td", {}, link),
    el("td", {}, visible(job.principal), el("span", { class: "dim" }, ` ${visible(job.peer)}`)),
    el("td", {}, when(job.created)), el("td", {}, job.started ? duration(seconds(job)) : ""), el("td", {}, stopper));
};

export const jobsView = () => {
  const state = el("select", { id: "job-state" }, el("option", { value: "" }, "all"), el("option", { value: "queued,running" }, "that have not ended"), ...STATES.map((name) => el("option", { value: name }, name.replace("_", " "))));
  const command = el("input", { id: "job-command", type: "search", autocomplete: "off", spellcheck: "false", placeholder: "trigger_dag, airflow dags, *my_dag*" });
  const body = el("tbody");
  const message = el("div", { role: "alert" });
  const complain = (text) => message.replaceChildren(...(text ? [el("p", { class: "box bad" }, visible(text))] : []));
  const empty = el("p", { class: "dim", hidden: true }, "There are none.");
  let pages = 1;
  const more = button("Older ones", () => { pages += 1; look(); });
  const heads = ["State", "Command", "Who, from where", "When", "How long", "Stop"].map((text, at) => el("th", { scope: "col" }, at < 5 ? text : el("span", { class: "unseen" }, text)));
  const element = el("section", {}, el("h2", { tabindex: -1 }, "Jobs"), el("p", {}, "Every command is a job. They can be followed, read later, and stopped."),
    el("div", { class: "fields" }, el("div", { class: "field" }, el("label", { for: state.id }, "Jobs"), state), el("div", { class: "field" }, el("label", { for: command.id }, "Command"), command)),
    message, el("div", { class: "run" }, el("div", { class: "scroll jobs", tabindex: 0, role: "region", "aria-label": "Jobs" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body)), empty, more));
  let shown = "";
  const look = async () => {
    const found = [];
    let before = "";
    try {
      for (let page = 0; page < pages; page += 1) {
        const said = await json(`jobs?${new URLSearchParams({ state: state.value, ...(command.value && { command: command.value }), ...(before && { before }) })}`);
        found.push(...said.jobs);
        before = said.next;
        if (!before) break;
      }
    } catch (error) {
      complain(error.message);
      return;
    }
    more.hidden = !before;
    empty.hidden = found.length > 0;
    // Rows that are the same stay, and with them the focus.
    const news = JSON.stringify(found.map((job) => [job.id, job.state, active(job.state) && Math.floor(seconds(job))]));
    if (news === shown) return;
    shown = news;
    complain("");
    const focused = [...body.rows].findIndex((line) => line.contains(document.activeElement));
    const kind = document.activeElement?.tagName;
    body.replaceChildren(...found.map((job) => row(job, complain)));
    if (focused >= 0) body.rows[Math.min(focused, found.length - 1)]?.querySelector(kind)?.focus();
  };
  const anew = () => { pages = 1; look(); };
  state.addEventListener("change", anew);
  command.addEventListener("input", anew);
  const watch = async () => {
    while (element.isConnected && !element.hidden) {
      await look();
      await pause(ROUND);
      await looked();
    }
  };
  return { element, title: "Jobs", opened: watch };
};

export const jobView = (id, airflow) => {
  const about = el("dl", { class: "about" });
  const panel = new Panel({ airflow, done: (job) => describe(job) });
  const heading = el("h2", { tabindex: -1 }, "Job");
  const element = el("section", {}, heading, el("p", {}, el("a", { href: "#jobs" }, "All jobs")), about, panel.element);
  const describe = (job) => {
    heading.textContent = visible(job.name);
    const pair = (name, ...said) => (said[0] ? [el("dt", {}, name), el("dd", {}, ...said)] : []);
    about.replaceChildren(
      ...pair("Command", el("code", {}, visible(job.airflow_cmd))),
      ...pair("Who", `${visible(job.principal)} from ${visible(job.peer)}`),
      ...pair("Asked for", when(job.created)),
      ...pair("Started", job.started && when(job.started)),
      ...pair("Ended", job.ended && when(job.ended)),
      ...pair("Kind", job.kind === "service" && "a service: it runs until it is stopped"),
      ...pair("On", visible(job.node ?? "")),
      ...pair("Job", el("code", {}, visible(job.id))));
  };
  const know = panel.know.bind(panel);
  panel.know = (job) => { know(job); describe(job); };
  let begun = false;
  const opened = () => {
    if (begun && panel.job) return;
    begun = true;
    panel.complain("");
    panel.follow(id);
  };
  return { element, title: "Job", opened };
};
