// The output of a job on one of its two streams.

/** @import { StreamName } from "./types" */

import { button, el, visible } from "./dom.js";

export const MAX_SHOWN = 1 << 20; // characters of a stream that stay on the page
const FOLLOW_DISTANCE = 40; // pixels from the end within which the view follows the output

/** Shows a stream, and knows how much of it has been read. */
export class OutputStream {
  /**
   * Create an empty stream, which is hidden.
   * @param {StreamName} name
   * @param {string} title
   * @param {() => void} onDownload called to download all of the stream
   */
  constructor(name, title, onDownload) {
    this.name = name;
    this.offset = 0; // in bytes
    this.offsetIsExact = true;
    this.shownLength = 0;
    this.text = "";
    this.truncated = el("span", { class: "dim", hidden: true }, "Earlier output is not shown.");
    this.pre = el("pre", { class: `output ${name}`, tabindex: 0, role: "region", "aria-label": title });
    const download = button("Download full output", onDownload, "small");
    const bar = el("div", { class: "bar" }, el("h3", { class: "tag" }, title), this.truncated, download);
    this.element = el("div", { hidden: true }, bar, this.pre);
  }

  /**
   * Append text.
   * @param {string} text
   * @param {number} [nextOffset] offset after the text; if it is unknown, the text's length in UTF-8 counts
   */
  append(text, nextOffset) {
    if (nextOffset === undefined) {
      this.offset += new TextEncoder().encode(text).length;
      // Bytes that are not valid UTF-8 came as U+FFFD, which has another length.
      this.offsetIsExact &&= !text.includes("\ufffd");
    } else this.offset = nextOffset;
    if (!text) return;
    this.element.hidden = false;
    const { scrollHeight, scrollTop, clientHeight } = this.pre;
    const atEnd = scrollHeight - scrollTop - clientHeight < FOLLOW_DISTANCE;
    this.text = (this.text + text).slice(-MAX_SHOWN);
    const shown = visible(text).slice(-MAX_SHOWN);
    this.pre.append(shown);
    this.shownLength += shown.length;
    this.#dropOldest();
    if (atEnd) this.pre.scrollTop = this.pre.scrollHeight;
  }

  /** Remove the oldest text nodes beyond MAX_SHOWN. */
  #dropOldest() {
    for (;;) {
      const oldest = /** @type {Text} */ (this.pre.firstChild);
      if (this.shownLength - oldest.length < MAX_SHOWN) return;
      this.shownLength -= oldest.length;
      oldest.remove();
      this.truncated.hidden = false;
    }
  }

  /**
   * Start at an offset, to show only the last part of a long stream.
   * @param {number} size of the whole stream, in bytes
   */
  startNearEnd(size) {
    this.offset = Math.max(0, size - MAX_SHOWN);
    this.truncated.hidden = !this.offset;
  }

  /** Start over if the offset is not exact, so that nothing is lost or shown twice. */
  prepareToResume() {
    if (!this.offsetIsExact) this.restart();
  }

  /** Clear the output, and read from the beginning. */
  restart() {
    this.pre.replaceChildren();
    this.offset = 0;
    this.offsetIsExact = true;
    this.shownLength = 0;
    this.text = "";
  }
}
