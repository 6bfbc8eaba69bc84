// What every part of the page is made with. Texts become text nodes; nothing here, or elsewhere, makes markup of them.

export const el = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter(Boolean));
  return made;
};

const UNSEEN = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\r(?!\n)/g;

// A text from outside, with what a terminal or a browser would obey in it (colours, directions) made visible.
export const visible = (text) =>
  String(text).replace(UNSEEN, (found) => {
    const code = found.charCodeAt(0);
    return code < 32 ? String.fromCharCode(0x2400 + code) : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });

// Tell a screen reader.
export const say = (text) => {
  document.getElementById("said").textContent = text;
};

export const button = (label, click, kind = "") => el("button", { type: "button", class: kind, click }, label);

// A button that copies what a function gives. Without https there is no clipboard, but still a selection.
export const copier = (what, text) => {
  const made = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      const area = el("textarea", { class: "unseen" });
      area.value = text();
      made.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      made.focus();
    }
    made.textContent = "Copied";
    say(`${what} copied`);
    setTimeout(() => { made.textContent = "Copy"; }, 1500);
  }, "small");
  made.setAttribute("aria-label", `Copy ${what}`);
  return made;
};

// Have the browser save parts of a file.
export const save = (parts, name) => {
  const url = URL.createObjectURL(new Blob(parts, { type: "application/octet-stream" }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
};

// Ask in the page: framed, a page may not be allowed to call confirm(). The dialog keeps and returns the focus itself.
export const ask = (title, said, yes) => new Promise((resolve) => {
  let agreed = false;
  const answer = (given) => () => { agreed = given; box.close(); };
  const box = el("dialog", { "aria-labelledby": "ask", close: () => { box.remove(); resolve(agreed); } },
    el("h2", { id: "ask" }, title),
    ...said,
    el("div", { class: "actions" }, el("button", { type: "button", autofocus: true, click: answer(false) }, "Cancel"), button(yes, answer(true), "first")));
  document.body.append(box);
  box.showModal();
});

// Rows for people: a list of objects as a table, an object as pairs. Null for what is neither.
const ROWS = 200;
export const tableOf = (value) => {
  const cell = (item) => visible(item === null || item === undefined ? "" : typeof item === "object" ? JSON.stringify(item) : item);
  const pairs = value && typeof value === "object" && !Array.isArray(value);
  const list = pairs ? Object.entries(value) : value;
  if (!Array.isArray(list) || !list.length || !(pairs || list.every((row) => row && typeof row === "object" && !Array.isArray(row)))) return null;
  const some = (name) => list.some((row) => row[name] != null); // an empty column says nothing
  const names = pairs ? [] : [...new Set(list.slice(0, ROWS).flatMap(Object.keys))].filter(some).slice(0, 50);
  const rows = list.slice(0, ROWS).map((row) => pairs
    ? el("tr", {}, el("th", { scope: "row" }, visible(row[0])), el("td", {}, cell(row[1])))
    : el("tr", {}, ...names.map((name) => el("td", {}, cell(row[name])))));
  const head = !pairs && el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, visible(name)))));
  const table = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Result as a table" }, el("table", {}, head, el("tbody", {}, ...rows)));
  return list.length > ROWS ? el("div", {}, table, el("p", { class: "dim" }, `The first ${ROWS} of ${list.length}; the JSON has all.`)) : table;
};

export const duration = (seconds) => {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
};
