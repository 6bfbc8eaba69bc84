// One run of a command: sends the request, and follows its job until the end.

/** @import { CommandRequest, Ending, Envelope, Job, OutputChunk, StreamName, Values, Variant } from "./types" */
/** @import { OutputStream } from "./output_stream.js" */

import { ApiError, messageOf, newIdempotencyKey, readEvents, request, requestJson } from "./api.js";
import { announce, saveFile } from "./dom.js";
import { isActive } from "./job_fields.js";
import { RunPanel } from "./run_panel.js";
import { sleep, untilVisible } from "./timing.js";

const STREAM_SECONDS = 10; // a stream occupies a worker of the webserver, so polls follow it
const POLL_INTERVAL = 800; // milliseconds
const FORCE_STOP_DELAY = 2500; // milliseconds until a job can be stopped by force
const MAX_ATTEMPTS = 4;

/**
 * Return whether a request that failed with this error may be sent again.
 * @param {unknown} error
 * @returns {boolean}
 */
function isTransient(error) {
  const status = error instanceof ApiError ? error.status : 0;
  return !status || status === 429 || (status >= 502 && status !== 503);
}

/**
 * Send a request, and again if only the connection failed. An idempotency key makes that safe for commands.
 * @template T
 * @param {() => Promise<T>} send
 * @returns {Promise<T>}
 */
async function withRetries(send) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await send();
    } catch (error) {
      if (attempt >= MAX_ATTEMPTS || !isTransient(error)) throw error;
      await sleep(attempt * 1000);
    }
  }
}

/** Runs a command, or follows a job that exists. */
export class Run {
  /**
   * Create a run, which does nothing yet.
   * @param {object} options
   * @param {number} options.airflow major version of Airflow
   * @param {(job: Job) => void} [options.onUpdate] called with each new document of the job
   */
  constructor({ airflow, onUpdate = () => {} }) {
    this.airflow = airflow;
    this.onUpdate = onUpdate;
    /** @type {Values} */
    this.values = {};
    /** @type {Job | undefined} */
    this.job = undefined;
    this.stopRequested = false;
    this.panel = new RunPanel({
      onStop: () => this.stop(),
      onDownload: (name) => this.downloadStream(name),
    });
    this.element = this.panel.element;
  }

  /**
   * Return the ID of the job, or "".
   * @returns {string}
   */
  get jobId() {
    return this.job?.id ?? "";
  }

  /**
   * Run a command.
   * @param {CommandRequest} commandRequest
   * @param {Variant} variant
   */
  async start({ path, headers, body, values }, variant) {
    this.panel.showState("sending");
    this.panel.startClock();
    this.values = values;
    /** @type {Record<string, string>} */
    const allHeaders = { ...headers, "Idempotency-Key": newIdempotencyKey() };
    if (!variant.service) {
      allHeaders.Accept = "application/x-ndjson";
      allHeaders.Prefer = `wait=${STREAM_SECONDS}`;
    }
    try {
      const response = await withRetries(() => request(path, { method: "POST", headers: allHeaders, body }));
      if (response.headers.get("Content-Type")?.includes("ndjson")) await this.#readStream(response);
      else await this.#finishWith(await response.json());
    } catch (error) {
      this.panel.showFailure(error);
    }
  }

  /**
   * Follow a job that exists.
   * @param {string} id
   */
  async follow(id) {
    this.panel.showMessage("");
    try {
      /** @type {Job} */
      const job = await requestJson(`jobs/${encodeURIComponent(id)}`);
      this.#update(job);
      const { stdout, stderr } = this.panel.streams;
      stdout.startNearEnd(job.stdout_bytes);
      stderr.startNearEnd(job.stderr_bytes);
      await this.#poll();
    } catch (error) {
      this.panel.showFailure(error);
    }
  }

  /** Stop the job; by force if that was tried before. */
  async stop() {
    const force = this.stopRequested || Boolean(this.job?.stopping);
    this.stopRequested = true;
    this.panel.showStopping();
    try {
      const options = { method: "POST", headers: { Prefer: "respond-async" } };
      await requestJson(`jobs/${this.jobId}/stop${force ? "?force=true" : ""}`, options);
      announce(force ? "Stopping by force" : "Stopping");
      await sleep(FORCE_STOP_DELAY);
    } catch (error) {
      this.panel.showMessage(messageOf(error));
    }
    this.panel.offerForceStop();
  }

  /**
   * Download all of a stream, a part at a time.
   * @param {StreamName} name
   */
  async downloadStream(name) {
    const parts = [];
    try {
      for (let offset = 0; ;) {
        const path = `jobs/${this.jobId}/output?stream=${name}&offset=${offset}`;
        const response = await request(path, { headers: { Accept: "text/plain" } });
        const part = await response.arrayBuffer();
        if (!part.byteLength) break;
        parts.push(part);
        offset += part.byteLength;
      }
      saveFile(parts, `${this.jobId}.${name}.txt`);
    } catch (error) {
      this.panel.showMessage(messageOf(error));
    }
  }

  /**
   * Show the events of a streamed response, and poll the job if it does not end with them.
   * @param {Response} response
   */
  async #readStream(response) {
    const { panel } = this;
    // No event reports that a queued command has started, unless it prints something.
    const startCheck = setTimeout(async () => {
      const job = this.job && (await requestJson(`jobs/${this.jobId}`).catch(() => null));
      if (job && isActive(job.state) && panel.shownState === "queued") this.#update(job);
    }, POLL_INTERVAL);
    for await (const event of readEvents(response)) {
      if (event.job) this.#update(event.job);
      if (event.event !== "started") clearTimeout(startCheck);
      if (event.event === "output") {
        if (panel.shownState === "queued") panel.showState("running");
        panel.streams[event.stream].append(event.data);
      }
      if (event.event === "finished") {
        await this.#finishWith(event.envelope);
        return;
      }
    }
    if (!this.job) throw new ApiError("The connection was lost before the command started.");
    panel.streams.stdout.prepareToResume();
    panel.streams.stderr.prepareToResume();
    await this.#poll();
  }

  /**
   * Show the response to a command. A few endpoints respond without a job.
   * @param {Envelope} envelope
   */
  async #finishWith(envelope) {
    if (!envelope.job) {
      this.panel.streams.stdout.append(`${envelope.output}\n`);
      this.#finish({ state: "succeeded", ...envelope });
      return;
    }
    const partial = { ...this.job, ...envelope, ...envelope.job };
    const job = await requestJson(`jobs/${envelope.job.id}`).catch(() => partial);
    this.#update(job);
    if (isActive(job.state)) await this.#poll();
    else this.#finish({ ...job, ...envelope });
  }

  /**
   * Show a new document of the job.
   * @param {Job} job
   */
  #update(job) {
    if (!this.job) this.panel.introduceJob(job);
    this.job = job;
    this.panel.showJob(job);
    this.onUpdate(job);
  }

  /** Poll the job and its output, until its end. */
  async #poll() {
    const { stdout, stderr } = this.panel.streams;
    for (;;) {
      // The state is read before the output, so that output read after the end is complete.
      /** @type {Job} */
      const job = await withRetries(() => requestJson(`jobs/${this.jobId}`));
      if (isActive(job.state)) this.#update(job); // an end is shown after the output
      await this.#readOutput(stdout, job.stdout_bytes);
      await this.#readOutput(stderr, job.stderr_bytes);
      if (!isActive(job.state)) {
        this.#finish(job);
        return;
      }
      await sleep(POLL_INTERVAL);
      await untilVisible();
    }
  }

  /**
   * Read the new output of a stream.
   * @param {OutputStream} stream
   * @param {number} size of the stream, in bytes
   */
  async #readOutput(stream, size) {
    if (size < stream.offset) stream.restart(); // a service has started its output again
    for (;;) {
      const path = `jobs/${this.jobId}/output?stream=${stream.name}&offset=${stream.offset}`;
      /** @type {OutputChunk} */
      const chunk = await withRetries(() => requestJson(path));
      stream.append(chunk.data, chunk.next_offset);
      if (!chunk.data || chunk.complete) return;
    }
  }

  /**
   * Show how the command ended.
   * @param {Ending} ending
   */
  #finish(ending) {
    this.panel.showEnding(ending, this.airflow, this.values);
    if (!ending.id) return;
    this.job = /** @type {Job} */ (ending);
    this.onUpdate(this.job);
  }
}
