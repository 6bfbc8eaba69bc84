// A request as lines for a shell. The token stays a variable, and what is secret is not shown.

import { root, token } from "./api.js";

const SECRET = "***";

export const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${String(word).replaceAll("'", "'\\''")}'`);

const text = (value) => (value instanceof File ? value.name : String(value));
const shown = (argument, value) => (argument?.secret ? SECRET : value);
const known = (form) => Object.fromEntries(form.arguments.map((argument) => [argument.name, argument]));

export const curl = ({ url, given, body }, form) => {
  const table = known(form);
  const words = [`curl -X POST ${quoted(url)}`];
  if (token()) words.push('-H "rest-api-plugin-http-token: $AIRFLOW_REMOTE_TOKEN"');
  if (body instanceof FormData) {
    for (const [name, value] of Object.entries(given)) {
      for (const item of [value].flat()) {
        const file = item instanceof File && `@"${item.name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
        words.push(`${file ? "-F" : "--form-string"} ${quoted(`${name}=${file || shown(table[name], item)}`)}`);
      }
    }
  } else {
    const said = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, shown(table[name], value)]));
    words.push("-H 'Content-Type: application/json'", `--data-raw ${quoted(JSON.stringify(said))}`);
  }
  return words.join(" \\\n  ");
};

// `--name VALUE`, or `--name=VALUE` where the value could be taken for an option.
const optioned = (flag, value) => (value.startsWith("-") ? [quoted(`${flag}=${value}`)] : [flag, quoted(value)]);

const classic = (entry, form, values) => {
  const words = [entry.name];
  const takes = form.takes ?? [];
  const table = known(form);
  const word = (name) => quoted(text(shown(table[name], values[name] ?? "")));
  // The client itself writes the file that the output goes to.
  if (form.name) words.push(`--${form.name}`, ...takes.map((name) => (table[name].kind === "stdout" ? "variables.json" : word(name))));
  const positional = [];
  for (const argument of form.arguments) {
    const value = values[argument.name];
    if (value === undefined || takes.includes(argument.name)) continue;
    for (const item of [value].flat()) {
      if (argument.positional) positional.push(text(shown(argument, item)));
      else if (item === true) words.push(`--${argument.name}`);
      else words.push(...optioned(`--${argument.name}`, text(shown(argument, item))));
    }
  }
  return [words, positional];
};

const live = (entry, form, values) => {
  const words = [];
  const positional = [];
  for (const argument of form.arguments) {
    const value = values[argument.name];
    if (value === undefined) continue;
    const items = [value].flat().map((item) => text(shown(argument, item)));
    const flag = argument.flags?.find((name) => name.startsWith("--")) ?? argument.flags?.[0];
    if (!flag) positional.push(...items);
    else if (argument.kind === "flag") words.push(value === false ? argument.off : flag);
    else if (argument.repeatable || items.length === 1) words.push(...items.flatMap((item) => optioned(flag, item)));
    else words.push(flag, ...items.map(quoted));
  }
  return [words, positional, entry.name.split(" ")];
};

export const remote = (entry, form, values) => {
  const [words, positional, name = [words.shift()]] = (entry.live ? live : classic)(entry, form, values);
  const server = new URL("../../", root).href.replace(/\/$/, "");
  const begin = ["airflow-remote", ...(server === "http://localhost:8080" ? [] : ["--url", quoted(server)]), ...name];
  const places = positional.map(quoted);
  return [...begin, ...(positional.some((place) => place.startsWith("-")) ? [...words, "--", ...places] : [...places, ...words])].join(" ");
};
