// Parts of a job that several views show: its state, times, and link.

/** @import { Job } from "./types" */

import { el, visible } from "./dom.js";

/**
 * Return whether a job in this state has not ended yet.
 * @param {string} state
 * @returns {boolean}
 */
export function isActive(state) {
  return state === "queued" || state === "running";
}

/**
 * Return the state of a job as it is shown.
 * @param {Pick<Job, "state" | "stopping" | "restarts">} job
 * @returns {string}
 */
export function shownState({ state, stopping, restarts }) {
  if (!isActive(state)) return state;
  if (stopping) return "stopping";
  return restarts?.next ? "restarting" : state;
}

/**
 * Return the label of a state.
 * @param {string} state
 * @returns {string}
 */
export function stateLabel(state) {
  return state.replace("_", " ");
}

/**
 * Create the colored label of a state.
 * @param {string} state
 * @returns {HTMLElement}
 */
export function stateBadge(state) {
  return el("span", { class: `state ${state}` }, stateLabel(state));
}

/**
 * Return how long a job has run, in seconds; 0 if it has not started.
 * @param {Pick<Job, "started" | "ended">} job
 * @returns {number}
 */
export function elapsedSeconds({ started, ended }) {
  if (!started) return 0;
  const end = ended ? new Date(ended) : new Date();
  return (end.getTime() - new Date(started).getTime()) / 1000;
}

/**
 * Create a link to the page of a job.
 * @param {string} id
 * @param {string} [text]
 * @returns {HTMLAnchorElement}
 */
export function jobLink(id, text = id) {
  return el("a", { href: `#job/${encodeURIComponent(id)}` }, visible(text));
}

/**
 * Show a time in the user's time zone, without the date if it is today.
 * @param {string} timestamp in ISO 8601
 * @returns {HTMLTimeElement}
 */
export function timeElement(timestamp) {
  const time = new Date(timestamp);
  const isToday = time.toDateString() === new Date().toDateString();
  const text = isToday ? time.toLocaleTimeString() : time.toLocaleString();
  return el("time", { datetime: timestamp, title: timestamp }, text);
}
