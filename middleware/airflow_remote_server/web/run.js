// One job on the screen: its state, its output as it comes, and what became of it.

import { Failure, events, json, looked, newKey, pause, request, root } from "./api.js";
import { button, copier, duration, el, save, say, tableOf, visible } from "./dom.js";

const KEPT = 1 << 20; // characters of a stream that stay on the page
const STREAMED = 10; // seconds that a webserver's worker is held for a stream; polls follow
const ROUND = 800; // milliseconds between polls
const TRIES = 4;
const ACTIVE = ["queued", "running"];

export const active = (state) => ACTIVE.includes(state);
export const stateOf = (state) => el("span", { class: `state ${state}` }, state.replace("_", " "));
export const seconds = (job) => (job.started ? ((job.ended ? new Date(job.ended) : new Date()) - new Date(job.started)) / 1000 : 0);
export const jobLink = (id) => el("a", { href: `#job/${encodeURIComponent(id)}` }, visible(id));

// One of the two streams.
class Stream {
  constructor(name, title, whole) {
    this.name = name;
    this.offset = 0; // in bytes, as the server counts
    this.exact = true;
    this.size = 0;
    this.text = "";
    this.cut = el("span", { class: "dim", hidden: true }, "The beginning is left out here.");
    this.pre = el("pre", { class: `output ${name}`, tabindex: 0, role: "region", "aria-label": title });
    this.element = el("div", { hidden: true }, el("div", { class: "bar" }, el("h3", { class: "tag" }, title), this.cut, button("Save all", () => whole(name), "small")), this.pre);
  }

  append(text, next) {
    if (next === undefined) {
      this.offset += new TextEncoder().encode(text).length;
      this.exact &&= !text.includes("\ufffd"); // bytes that were no text have another length
    } else this.offset = next;
    if (!text) return;
    this.element.hidden = false;
    const follow = this.pre.scrollHeight - this.pre.scrollTop - this.pre.clientHeight < 40;
    this.text = (this.text + text).slice(-KEPT);
    const shown = visible(text).slice(-KEPT);
    this.pre.append(shown);
    this.size += shown.length;
    while (this.size - this.pre.firstChild.length >= KEPT) {
      this.size -= this.pre.firstChild.length;
      this.pre.firstChild.remove();
      this.cut.hidden = false;
    }
    if (follow) this.pre.scrollTop = this.pre.scrollHeight;
  }

  // Begin anew where the offset cannot be trusted.
  resume() {
    if (this.exact) return;
    this.pre.replaceChildren();
    Object.assign(this, { offset: 0, size: 0, text: "", exact: true });
  }
}

export class Panel {
  // `done` is called with the job once it has ended.
  constructor({ airflow, done = () => {} }) {
    Object.assign(this, { airflow, done, values: {} });
    this.streams = {
      stdout: new Stream("stdout", "stdout", (name) => this.saveAll(name)),
      stderr: new Stream("stderr", "stderr – log lines", (name) => this.saveAll(name)),
    };
    this.state = el("span", { role: "status" });
    this.clock = el("span", { class: "mono" });
    this.facts = el("span", { class: "dim grow" });
    this.stopper = button("Stop", () => this.stop(), "stop");
    this.stopper.hidden = true;
    this.message = el("div", { role: "alert" });
    this.outcome = el("div");
    this.element = el("div", { class: "run" },
      el("div", { class: "status" }, this.state, this.clock, this.facts, this.stopper),
      this.message, this.outcome, ...Object.values(this.streams).map((stream) => stream.element));
  }

  show(state) {
    if (state === this.shown) return;
    this.shown = state;
    this.state.replaceChildren(stateOf(state));
  }

  complain(text, kind = "bad") {
    this.message.replaceChildren(...(text ? [el("p", { class: `box ${kind}` }, visible(text))] : []));
  }

  tick(running) {
    clearInterval(this.timer);
    if (!running) return;
    const began = performance.now() - (this.job ? seconds(this.job) * 1000 : 0);
    const write = () => { this.clock.textContent = duration((performance.now() - began) / 1000); };
    this.timer = setInterval(write, 100);
    write();
  }

  // Send a request for a command, and show what it does.
  async send(wanted, form) {
    this.show("sending");
    this.tick(true);
    this.values = wanted.given;
    const headers = { ...wanted.headers, "Idempotency-Key": newKey() };
    if (!form.service) Object.assign(headers, { Accept: "application/x-ndjson", Prefer: `wait=${STREAMED}` });
    try {
      const response = await this.patiently(() => request(wanted.path, { method: "POST", headers, body: wanted.body }));
      if (response.headers.get("Content-Type").includes("ndjson")) await this.read(response);
      else await this.answered(await response.json());
    } catch (error) {
      this.failed(error);
    }
  }

  async read(response) {
    // A stream does not say when a command that waits for its turn begins; unless by what that prints.
    const begun = setTimeout(async () => {
      const job = this.job && (await json(`jobs/${this.job.id}`).catch(() => null));
      if (job && active(job.state) && this.shown === "queued") this.know(job);
    }, ROUND);
    for await (const event of events(response)) {
      if (event.job) this.know(event.job);
      if (event.event === "output" && this.shown === "queued") this.show("running");
      if (event.event !== "started") clearTimeout(begun);
      if (event.event === "output") this.streams[event.stream].append(event.data);
      if (event.event === "finished") return this.answered(event.envelope);
    }
    if (!this.job) throw new Failure("The connection was lost before the command had begun.");
    for (const stream of Object.values(this.streams)) stream.resume();
    return this.poll();
  }

  // What an answer of the API says: of a job, or of what needs none.
  async answered(envelope) {
    if (!envelope.job) {
      this.streams.stdout.append(`${envelope.output}\n`);
      this.end({ state: "succeeded", ...envelope });
    } else {
      const job = await json(`jobs/${envelope.job.id}`).catch(() => ({ ...this.job, ...envelope, ...envelope.job }));
      this.know(job);
      if (active(job.state)) await this.poll();
      else this.end({ ...job, ...envelope });
    }
  }

  know(job) {
    const first = !this.job;
    this.job = job;
    this.show(job.state);
    this.stopper.hidden = !active(job.state);
    if (first) {
      this.tick(active(job.state));
      this.facts.replaceChildren("job ", jobLink(job.id));
      if (job.kind === "service") this.complain("A service: it runs until it is stopped, here or on the page of its job.", "");
    }
  }

  // Follow a job, from what is shown already to its end.
  async follow(id) {
    try {
      const job = await json(`jobs/${encodeURIComponent(id)}`);
      this.know(job);
      for (const stream of Object.values(this.streams)) {
        stream.offset = Math.max(0, job[`${stream.name}_bytes`] - KEPT);
        stream.cut.hidden = !stream.offset;
      }
      await this.poll();
    } catch (error) {
      this.failed(error);
    }
  }

  async poll() {
    for (;;) {
      // The state first: what is read after the end is all.
      const job = await this.patiently(() => json(`jobs/${this.job.id}`));
      if (active(job.state)) this.know(job); // its end is shown once all of its output is
      for (const stream of Object.values(this.streams)) {
        const size = job[`${stream.name}_bytes`];
        if (size < stream.offset) Object.assign(stream, { exact: false }), stream.resume(); // a service's output has begun anew
        for (let said; !said || (said.data && !said.complete);) {
          said = await this.patiently(() => json(`jobs/${job.id}/output?stream=${stream.name}&offset=${stream.offset}`));
          stream.append(said.data, said.next_offset);
        }
      }
      if (!active(job.state)) return this.end(job);
      await pause(ROUND);
      await looked();
    }
  }

  // Try again what only the connection has kept from being done; a request's key keeps it from being done twice.
  async patiently(send) {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await send();
      } catch (error) {
        if ((error.status && error.status < 502 && error.status !== 429) || left <= 1 || error.status === 503) throw error;
        await pause((TRIES - left + 1) * 1000);
      }
    }
  }

  async stop() {
    const force = this.stopping;
    this.stopping = true;
    this.stopper.disabled = true;
    this.stopper.textContent = "Stopping";
    try {
      await json(`jobs/${this.job.id}/stop${force ? "?force=true" : ""}`, { method: "POST", headers: { Prefer: "respond-async" } });
      say(force ? "Stopping by force" : "Stopping");
      await pause(2500);
    } catch (error) {
      this.complain(error.message);
    }
    this.stopper.disabled = false;
    this.stopper.textContent = "Stop by force";
  }

  failed(error) {
    if (!(error instanceof Failure)) throw error;
    this.tick(false);
    this.show("failed");
    this.stopper.hidden = true;
    this.clock.textContent = error.status ? `HTTP ${error.status}` : "";
    this.complain(error.message);
  }

  end(job) {
    if (job.id) this.job = job;
    this.tick(false);
    this.show(job.state);
    this.stopper.hidden = true;
    const said = [
      job.exit_code != null && `exit code ${job.exit_code}`,
      job.http_response_code && `HTTP ${job.http_response_code}`,
    ].filter(Boolean).join(" · ");
    this.clock.textContent = job.started ? duration(seconds(job)) : "";
    this.facts.replaceChildren(said, ...(job.id ? [" · job ", jobLink(job.id)] : []));
    say(`${job.state}, ${said}`);
    this.complain(job.error?.message ?? job.warning ?? "", job.error ? "bad" : "warn");
    this.outcome.replaceChildren(...this.found(job));
    this.done(job);
  }

  // What a command has left for its user: a run, files, a result.
  found(job) {
    const found = [];
    if (job.dag_run_id) {
      const [dag, run] = [this.values.dag_id, job.dag_run_id].map(encodeURIComponent);
      const path = this.airflow < 3 ? `dags/${dag}/grid?dag_run_id=${run}` : `dags/${dag}/runs/${run}`;
      found.push(el("p", { class: "box" }, "Run ", el("a", { href: new URL(`../../${path}`, root).href, target: "_blank", rel: "noopener" }, visible(job.dag_run_id)), " in Airflow"));
    }
    for (const file of job.files ?? []) {
      const path = `jobs/${job.id}/files/${file.name.split("/").map(encodeURIComponent).join("/")}`;
      const get = async () => {
        try {
          save([await (await request(path, { headers: { Accept: "*/*" } })).blob()], file.name.split("/").pop());
        } catch (error) {
          this.complain(error.message);
        }
      };
      found.push(el("p", { class: "box bar" }, el("code", {}, visible(file.name)), el("span", { class: "dim" }, `${file.size} bytes`), button("Save", get, "small")));
    }
    let { result } = job;
    const { text, cut } = this.streams.stdout;
    if (result === undefined && cut.hidden && /^\s*[[{]/.test(text)) {
      try { result = JSON.parse(text); } catch { /* no JSON after all */ }
    }
    const table = tableOf(result);
    if (result != null) {
      const raw = JSON.stringify(result, null, 2);
      const json = el("details", { open: !table }, el("summary", {}, "Raw JSON"), el("div", { class: "bar" }, copier("the JSON", () => raw)), el("pre", { class: "output", tabindex: 0, role: "region", "aria-label": "Result as JSON" }, visible(raw)));
      found.push(el("h3", {}, "Result"), table ?? "", json);
    }
    return found;
  }

  // All that a stream has, in parts of a mebibyte.
  async saveAll(name) {
    const parts = [];
    try {
      for (let offset = 0; ;) {
        const response = await request(`jobs/${this.job.id}/output?stream=${name}&offset=${offset}`, { headers: { Accept: "text/plain" } });
        const part = await response.arrayBuffer();
        if (!part.byteLength) break;
        parts.push(part);
        offset += part.byteLength;
      }
      save(parts, `${this.job.id}.${name}.txt`);
    } catch (error) {
      this.complain(error.message);
    }
  }
}
