// A request as a shell command. The token stays a variable, and secret values are masked.

/** @import { Argument, CommandRequest, Entry, Value, Values, Variant } from "./types" */

import { getToken, rootUrl } from "./api.js";

const MASK = "***";
const DEFAULT_SERVER = "http://localhost:8080"; // the client's default

/**
 * Quote a word for a POSIX shell, if necessary.
 * @param {string} word
 * @returns {string}
 */
function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Return the values of an argument as a list.
 * @param {Value} value
 * @returns {(string | boolean | File)[]}
 */
function listOf(value) {
  return Array.isArray(value) ? value : [value];
}

/**
 * Mask a value if it is secret.
 * @template T
 * @param {Argument | undefined} argument
 * @param {T} value
 * @returns {T | string}
 */
function masked(argument, value) {
  return argument?.secret ? MASK : value;
}

/**
 * Return a value as the text of a command line.
 * @param {Argument | undefined} argument
 * @param {Value} value
 * @returns {string}
 */
function textOf(argument, value) {
  const text = masked(argument, value);
  return text instanceof File ? text.name : String(text);
}

/**
 * Return the arguments of a variant by name.
 * @param {Variant} variant
 * @returns {Map<string, Argument>}
 */
function argumentsByName(variant) {
  return new Map(variant.arguments.map((argument) => [argument.name, argument]));
}

/**
 * Return curl's option for one value of a multipart form.
 * @param {string} name
 * @param {string | boolean | File} value
 * @param {Argument | undefined} argument
 * @returns {string}
 */
function curlFormOption(name, value, argument) {
  if (!(value instanceof File)) return `--form-string ${quote(`${name}=${masked(argument, value)}`)}`;
  const fileName = value.name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `-F ${quote(`${name}=@"${fileName}"`)}`;
}

/**
 * Return the curl command that sends a request.
 * @param {CommandRequest} request
 * @param {Variant} variant
 * @returns {string}
 */
export function curlLine({ url, values, body }, variant) {
  const known = argumentsByName(variant);
  const words = [`curl -X POST ${quote(url)}`];
  if (getToken()) words.push('-H "rest-api-plugin-http-token: $AIRFLOW_REMOTE_TOKEN"');
  else if (body instanceof FormData) words.push("-H 'X-Requested-With: curl'");
  if (body instanceof FormData) {
    for (const [name, value] of Object.entries(values)) {
      words.push(...listOf(value).map((item) => curlFormOption(name, item, known.get(name))));
    }
  } else {
    const shown = Object.entries(values).map(([name, value]) => [name, masked(known.get(name), value)]);
    const json = JSON.stringify(Object.fromEntries(shown));
    words.push("-H 'Content-Type: application/json'", `--data-raw ${quote(json)}`);
  }
  return words.join(" \\\n  ");
}

/**
 * Return an option and its value: `--name VALUE`, or `--name=VALUE` if the value looks like an option.
 * @param {string} flag
 * @param {string} value
 * @returns {string[]}
 */
function optionWords(flag, value) {
  return value.startsWith("-") ? [quote(`${flag}=${value}`)] : [flag, quote(value)];
}

/**
 * @typedef {object} CommandLine
 * @property {string[]} name words that name the command, quoted
 * @property {string[]} options quoted
 * @property {string[]} positional not quoted
 */

/**
 * Return the words that choose a classic endpoint's action, such as `--set KEY VALUE`.
 * @param {Variant} variant
 * @param {Values} values
 * @returns {string[]}
 */
function actionWords({ name: action, takes = [], ...variant }, values) {
  if (!action) return [];
  const operands = takes.map((name) => {
    const argument = variant.arguments.find((each) => each.name === name);
    // The server prints the file's content, and the client writes the file.
    return argument?.kind === "stdout" ? "variables.json" : textOf(argument, values[name] ?? "");
  });
  return [`--${action}`, ...operands.map(quote)];
}

/**
 * Return the command line of a classic endpoint.
 * @param {Entry} entry
 * @param {Variant} variant
 * @param {Values} values
 * @returns {CommandLine}
 */
function classicLine(entry, variant, values) {
  const options = actionWords(variant, values);
  const positional = [];
  for (const argument of variant.arguments) {
    const value = values[argument.name];
    if (value === undefined || variant.takes?.includes(argument.name)) continue;
    for (const item of listOf(value)) {
      if (argument.positional) positional.push(textOf(argument, item));
      else if (item === true) options.push(`--${argument.name}`);
      else options.push(...optionWords(`--${argument.name}`, textOf(argument, item)));
    }
  }
  return { name: [entry.name], options, positional };
}

/**
 * Return the option of a live command's argument; undefined if the argument is positional.
 * @param {Argument} argument
 * @returns {string | undefined}
 */
function flagOf({ flags = [] }) {
  return flags.find((flag) => flag.startsWith("--")) ?? flags[0];
}

/**
 * Return the words of a live command's option.
 * @param {Argument} argument
 * @param {string} flag
 * @param {Value} value
 * @returns {string[]}
 */
function liveOption(argument, flag, value) {
  if (argument.kind === "flag") return [value === false && argument.off ? argument.off : flag];
  const items = listOf(value).map((item) => textOf(argument, item));
  if (argument.repeatable || items.length === 1) return items.flatMap((item) => optionWords(flag, item));
  return [flag, ...items.map(quote)];
}

/**
 * Return the command line of a live command.
 * @param {Entry} entry
 * @param {Variant} variant
 * @param {Values} values
 * @returns {CommandLine}
 */
function liveLine(entry, variant, values) {
  const options = [];
  const positional = [];
  for (const argument of variant.arguments) {
    const value = values[argument.name];
    if (value === undefined) continue;
    const flag = flagOf(argument);
    if (flag) options.push(...liveOption(argument, flag, value));
    else positional.push(...listOf(value).map((item) => textOf(argument, item)));
  }
  return { name: entry.name.split(" "), options, positional };
}

/**
 * Return the airflow-remote command that does the same as a request.
 * @param {Entry} entry
 * @param {Variant} variant
 * @param {Values} values
 * @returns {string}
 */
export function clientLine(entry, variant, values) {
  const { name, options, positional } = (entry.live ? liveLine : classicLine)(entry, variant, values);
  const server = new URL("../../", rootUrl).href.replace(/\/$/, "");
  const program = ["airflow-remote", ...(server === DEFAULT_SERVER ? [] : ["--url", quote(server)]), ...name];
  const operands = positional.map(quote);
  // Operands that look like options go after "--", and so after all options.
  const looksLikeOption = operands.some((operand) => operand.startsWith("-"));
  const rest = looksLikeOption ? [...options, "--", ...operands] : [...operands, ...options];
  return [...program, ...rest].join(" ");
}
