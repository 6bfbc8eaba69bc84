// Requests to this server's API. Addresses are relative to the page's own.

/** @import { StreamEvent } from "./types" */

const STORAGE_KEY = "airflow-remote-token";
let currentToken = "";
try {
  currentToken = sessionStorage.getItem(STORAGE_KEY) ?? "";
} catch {
  // A frame may have no storage. The token then lasts as long as the page.
}

/**
 * Return the token in use, or "".
 * @returns {string}
 */
export function getToken() {
  return currentToken;
}

/**
 * Use a token from now on, and store it for this tab.
 * @param {string} token "" to clear it
 */
export function setToken(token) {
  currentToken = token;
  try {
    if (token) sessionStorage.setItem(STORAGE_KEY, token);
    else sessionStorage.removeItem(STORAGE_KEY);
  } catch {
    // As above.
  }
}

export const rootUrl = new URL(".", document.baseURI);

/**
 * Return the address of a path of the API.
 * @param {string} path
 * @returns {string}
 */
export function urlOf(path) {
  return new URL(`api/v1.0/${path}`, rootUrl).href;
}

/** A request that failed, with a message for the user. */
export class ApiError extends Error {
  /**
   * Create an error.
   * @param {string} message
   * @param {number} [status] the HTTP status; 0 if there was no response
   */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/**
 * Return the message of a caught error.
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Send a request, and return the response if its status is 2xx. A 403 also raises the window's "refused" event.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} [options]
 * @returns {Promise<Response>}
 * @throws {ApiError} if there is no response, or one of another status
 */
export async function request(path, { headers = {}, ...options } = {}) {
  const allHeaders = { Accept: "application/json", ...headers };
  if (currentToken) {
    // Header values are bytes (RFC 9110), and the server compares the token as UTF-8.
    const bytes = new TextEncoder().encode(currentToken);
    Object.assign(allHeaders, { "rest-api-plugin-http-token": String.fromCharCode(...bytes) });
  } else {
    // Without a token, the server accepts no change that a page of another site could send.
    Object.assign(allHeaders, { "X-Requested-With": "airflow-remote" });
  }
  let response;
  try {
    response = await fetch(urlOf(path), { ...options, headers: allHeaders });
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    throw new ApiError("The server did not respond. Check that it is running and that you are connected.");
  }
  if (response.ok) return response;
  const document = await response.json().catch(() => ({}));
  const message = document.output || `The server returned ${response.status} ${response.statusText}`;
  const error = new ApiError(message, response.status);
  if (response.status === 403) dispatchEvent(new CustomEvent("refused", { detail: error }));
  throw error;
}

/**
 * Send a request, and return the JSON document of the response.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} [options]
 * @returns {Promise<any>}
 * @throws {ApiError} as `request` does, and if the document is incomplete
 */
export async function requestJson(path, options) {
  const response = await request(path, options);
  try {
    return await response.json();
  } catch {
    throw new ApiError("The server's response is incomplete. Try again.");
  }
}

/**
 * Read an NDJSON response. The events end when the connection does, even if it is lost.
 * @param {Response} response
 * @yields {StreamEvent}
 * @returns {AsyncGenerator<StreamEvent, void>}
 */
export async function* readEvents(response) {
  if (!response.body) return;
  const decoder = /** @type {TransformStream<Uint8Array, string>} */ (new TextDecoderStream());
  const reader = response.body.pipeThrough(decoder).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line);
    }
  } catch {
    // The caller goes on with the job itself.
  }
}

/**
 * Return a new idempotency key. (crypto.randomUUID exists over HTTPS only.)
 * @returns {string}
 */
export function newIdempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @type {Promise<string[]> | undefined} */
let dagIds;

/**
 * Return the IDs of all DAGs, which are requested once. The list is empty if the token may not list them.
 * @returns {Promise<string[]>}
 */
export function listDagIds() {
  dagIds ??= requestJson("list_dags", { method: "POST" })
    .then((envelope) => envelope.result.map((/** @type {{ dag_id: string }} */ row) => row.dag_id))
    .catch(() => {
      dagIds = undefined;
      return [];
    });
  return dagIds;
}
