// The panel of one run: state, clock, messages, outcome, and output.

/** @import { Ending, Job, StreamName, Values } from "./types" */

import { ApiError } from "./api.js";
import { announce, button, el, visible } from "./dom.js";
import { elapsedSeconds, isActive, jobLink, shownState, stateBadge } from "./job_fields.js";
import { outcomeElements } from "./outcome.js";
import { OutputStream } from "./output_stream.js";
import { formatDuration } from "./timing.js";

const SERVICE_NOTE = "This is a service. It runs until you stop it, here or on the page of its job.";

/**
 * Describe how a command ended: its exit code and HTTP status.
 * @param {Ending} ending
 * @returns {string}
 */
function summaryOf({ exit_code: exitCode, http_response_code: status }) {
  const parts = [exitCode != null && `exit code ${exitCode}`, status && `HTTP ${status}`];
  return parts.filter(Boolean).join(" · ");
}

/** Displays a run. `Run` updates it. */
export class RunPanel {
  /**
   * Create an empty panel.
   * @param {object} callbacks
   * @param {() => void} callbacks.onStop
   * @param {(name: StreamName) => void} callbacks.onDownload called to download all of a stream
   */
  constructor({ onStop, onDownload }) {
    this.shownState = "";
    this.timer = 0;
    this.streams = {
      stdout: new OutputStream("stdout", "stdout", () => onDownload("stdout")),
      stderr: new OutputStream("stderr", "stderr (logs)", () => onDownload("stderr")),
    };
    this.state = el("span", { role: "status" });
    this.clock = el("span", { class: "mono" });
    this.facts = el("span", { class: "dim grow" });
    this.stopButton = button("Stop", onStop, "stop");
    this.stopButton.hidden = true;
    this.message = el("div", { role: "alert" });
    this.outcome = el("div");
    this.element = el(
      "div",
      { class: "run" },
      el("div", { class: "status" }, this.state, this.clock, this.facts, this.stopButton),
      this.message,
      this.outcome,
      this.streams.stdout.element,
      this.streams.stderr.element,
    );
  }

  /**
   * Show a state.
   * @param {string} state
   */
  showState(state) {
    if (state === this.shownState) return;
    this.shownState = state;
    this.state.replaceChildren(stateBadge(state));
  }

  /**
   * Show a message.
   * @param {string} text "" to remove it
   * @param {"bad" | "warn" | ""} [kind]
   */
  showMessage(text, kind = "bad") {
    this.message.replaceChildren(...(text ? [el("p", { class: `box ${kind}` }, visible(text))] : []));
  }

  /**
   * Start the clock.
   * @param {number} [elapsed] seconds that have passed already
   */
  startClock(elapsed = 0) {
    this.stopClock();
    const start = performance.now() - elapsed * 1000;
    const update = () => {
      this.clock.textContent = formatDuration((performance.now() - start) / 1000);
    };
    this.timer = setInterval(update, 100);
    update();
  }

  /** Stop the clock. */
  stopClock() {
    clearInterval(this.timer);
  }

  /**
   * Show the state of a job.
   * @param {Job} job
   */
  showJob(job) {
    this.showState(shownState(job));
    this.stopButton.hidden = !isActive(job.state);
    if (isActive(job.state) && job.stopping) this.showMessage(job.stopping.message, "");
  }

  /**
   * Show which job it is; called once, before `showJob`.
   * @param {Job} job
   */
  introduceJob(job) {
    if (isActive(job.state)) this.startClock(elapsedSeconds(job));
    else this.stopClock();
    this.facts.replaceChildren("job ", jobLink(job.id));
    if (job.kind === "service") this.showMessage(SERVICE_NOTE, "");
  }

  /** Show that a request to stop the job is under way. */
  showStopping() {
    this.stopButton.disabled = true;
    this.stopButton.textContent = "Stopping";
  }

  /** Offer to stop the job by force. */
  offerForceStop() {
    this.stopButton.disabled = false;
    this.stopButton.textContent = "Force stop";
  }

  /**
   * Show that a request failed.
   * @param {unknown} error
   * @throws {unknown} the error, if it is a bug of the page
   */
  showFailure(error) {
    if (!(error instanceof ApiError)) throw error;
    this.stopClock();
    this.showState("failed");
    this.stopButton.hidden = true;
    this.clock.textContent = error.status ? `HTTP ${error.status}` : "";
    this.showMessage(error.message);
  }

  /**
   * Show how the command ended.
   * @param {Ending} ending
   * @param {number} airflow major version of Airflow
   * @param {Values} values arguments of the command
   */
  showEnding(ending, airflow, values) {
    this.stopClock();
    this.showState(ending.state);
    this.stopButton.hidden = true;
    const summary = summaryOf(ending);
    const { started, ended, id } = ending;
    this.clock.textContent = started ? formatDuration(elapsedSeconds({ started, ended })) : "";
    this.facts.replaceChildren(summary, ...(id ? [" · job ", jobLink(id)] : []));
    announce(`${ending.state}, ${summary}`);
    this.showMessage(ending.error?.message ?? ending.warning ?? "", ending.error ? "bad" : "warn");
    const showError = (/** @type {string} */ message) => this.showMessage(message);
    const context = { airflow, values, stdout: this.streams.stdout, showError };
    this.outcome.replaceChildren(...outcomeElements(ending, context));
  }
}
