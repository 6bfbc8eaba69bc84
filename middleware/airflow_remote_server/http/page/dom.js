// Elements of the page. Text always becomes text nodes; no module creates markup from a string.

/** @import { Attributes, Child } from "./types" */

/**
 * Create an element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes] a function is a listener for the event of that name
 * @param {...Child} children false, null, undefined and "" are left out
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  for (const child of children) {
    if (child) element.append(child);
  }
  return element;
}

/**
 * Return the element that has an ID.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {string} id
 * @param {T} tag the element's tag
 * @returns {HTMLElementTagNameMap[T]}
 * @throws {Error} if the page has no such element
 */
export function byId(id, tag) {
  const element = document.getElementById(id);
  if (element?.localName !== tag) throw new Error(`The page has no ${tag}#${id}`);
  return /** @type {HTMLElementTagNameMap[T]} */ (element);
}

const INVISIBLE =
  // eslint-disable-next-line no-control-regex -- this finds control characters
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\r(?!\n)/g;

/**
 * Make control characters visible, such as color codes and changes of the text's direction.
 * @param {unknown} text
 * @returns {string}
 */
export function visible(text) {
  return String(text).replace(INVISIBLE, (character) => {
    const code = character.charCodeAt(0);
    if (code < 32) return String.fromCharCode(0x2400 + code);
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/**
 * Announce a text to screen readers.
 * @param {string} text
 */
export function announce(text) {
  byId("announcer", "div").textContent = text;
}

/**
 * Create a button.
 * @param {string} label
 * @param {() => void} onClick
 * @param {string} [className]
 * @returns {HTMLButtonElement}
 */
export function button(label, onClick, className = "") {
  return el("button", { type: "button", class: className, click: onClick }, label);
}

/**
 * Create a button that copies a text. Without HTTPS there is no clipboard API; then it copies a selection.
 * @param {string} label name of the text, for screen readers
 * @param {() => string} getText
 * @returns {HTMLButtonElement}
 */
export function copyButton(label, getText) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(getText());
    } catch {
      const area = el("textarea", { class: "visually-hidden" });
      area.value = getText();
      element.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      element.focus();
    }
    element.textContent = "Copied";
    announce(`${label} copied`);
    setTimeout(() => {
      element.textContent = "Copy";
    }, 1500);
  };
  const element = button("Copy", copy, "small");
  element.setAttribute("aria-label", `Copy ${label}`);
  return element;
}

/**
 * Let the browser save a file.
 * @param {BlobPart[]} parts
 * @param {string} name
 */
export function saveFile(parts, name) {
  const url = URL.createObjectURL(new Blob(parts, { type: "application/octet-stream" }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/**
 * Ask for confirmation in a dialog of the page, because a framed page may not be allowed to call confirm().
 * @param {string} title
 * @param {Child[]} content
 * @param {string} action the label of the button that confirms
 * @returns {Promise<boolean>}
 */
export function confirmInDialog(title, content, action) {
  return new Promise((resolve) => {
    let confirmed = false;
    const dialog = el(
      "dialog",
      {
        "aria-labelledby": "dialog-title",
        close: () => {
          dialog.remove();
          resolve(confirmed);
        },
      },
      el("h2", { id: "dialog-title" }, title),
      ...content,
      el(
        "div",
        { class: "actions" },
        el("button", { type: "button", autofocus: true, click: () => dialog.close() }, "Cancel"),
        button(
          action,
          () => {
            confirmed = true;
            dialog.close();
          },
          "primary",
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal(); // the browser keeps the focus inside, and returns it afterward
  });
}
