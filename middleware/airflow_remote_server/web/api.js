// Requests to the API that this page belongs to. Addresses are relative to the page's own.

const KEY = "airflow-remote-token";
let kept = "";
try {
  kept = sessionStorage.getItem(KEY) ?? "";
} catch {
  // Framed without storage: the token lives as long as the page.
}

export const token = () => kept;
export const keep = (given) => {
  kept = given;
  try {
    if (given) sessionStorage.setItem(KEY, given);
    else sessionStorage.removeItem(KEY);
  } catch {
    // As above.
  }
};

export const root = new URL(".", document.baseURI);
export const address = (path) => new URL(`api/v1.0/${path}`, root).href;

// What could not be had: a sentence for the user, the HTTP status (0: no answer at all), and the answer.
export class Failure extends Error {
  constructor(message, status = 0, answer = {}) {
    super(message);
    Object.assign(this, { status, answer });
  }
}

// Send a request; the response, if it is one of success.
export const request = async (path, { headers = {}, ...more } = {}) => {
  const all = { Accept: "application/json", ...headers };
  // Header values are bytes (RFC 9110); the server compares the token as UTF-8.
  if (kept) all["rest-api-plugin-http-token"] = String.fromCharCode(...new TextEncoder().encode(kept));
  let response;
  try {
    response = await fetch(address(path), { ...more, headers: all });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The server did not answer: it is away, or the connection was lost.");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  const failure = new Failure(answer.output || `The server answered ${response.status} ${response.statusText}`, response.status, answer);
  if (response.status === 403) dispatchEvent(new CustomEvent("refused", { detail: failure }));
  throw failure;
};

export const json = async (path, more) => {
  const response = await request(path, more);
  try {
    return await response.json();
  } catch {
    throw new Failure("The server's answer broke off.");
  }
};

// The lines of a response, each a JSON document, as they come; it just ends when the connection does.
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) yield JSON.parse(line);
    }
  } catch {
    // Whoever reads goes on by the job.
  }
}

// A key that makes sending a request again harmless. randomUUID needs https.
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

// Wait until the page is looked at.
export const looked = () => new Promise((resolve) => {
  const check = () => document.visibilityState === "visible" && (document.removeEventListener("visibilitychange", check), resolve());
  document.addEventListener("visibilitychange", check);
  check();
});

let asked;
// The ids of all DAGs, asked for once. A token that may not list them leaves fields without suggestions.
export const dagIds = () => asked ??= json("list_dags", { method: "POST" })
  .then((answer) => answer.result.map((row) => row.dag_id))
  .catch(() => { asked = undefined; return []; });
