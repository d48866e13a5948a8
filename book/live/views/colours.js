// Colours of numbers, and the legends that say which number has which colour.

import { h } from "./element.js";

/** From nothing to the largest number: dark to bright, readable in grey too. */
const SEQUENTIAL = [[12, 8, 38], [87, 21, 126], [187, 55, 84], [249, 142, 9], [252, 255, 164]]; // prettier-ignore
/** Less, the same, more: blue, dark, orange. */
const DIVERGING = [[120, 200, 255], [30, 110, 190], [24, 24, 28], [214, 94, 10], [255, 200, 110]]; // prettier-ignore

/** Colours of the fingers, as in the book's figures. */
export const FINGERS = ["thumb", "index", "middle", "ring", "little"];
const OF_FINGER = ["#d55e00", "#e69f00", "#009e73", "#0072b2", "#cc79a7"];

/** @param {number} joint */
export function jointColour(joint) {
  return joint ? OF_FINGER[Math.floor((joint - 1) / 4)] : "#9a9a9a";
}

/** @param {number[][]} stops */
function table(stops) {
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2), part = at - low;
    return stops[low].map((v, k) => Math.round(v + part * (stops[low + 1][k] - v)));
  });
}

const TABLES = { sequential: table(SEQUENTIAL), diverging: table(DIVERGING) };

/** Where a number stands on its scale, 0 to 1. Sequential ones by their root, so that small numbers can be seen.
 * @param {"sequential"|"diverging"} kind @param {number} value @param {number} top */
function place(kind, value, top) {
  const part = top > 0 ? value / top : 0;
  return kind === "sequential" ? Math.sqrt(Math.min(Math.max(part, 0), 1)) : (Math.min(Math.max(part, -1), 1) + 1) / 2;
}

/** Red, green, blue and opacity of a number. @param {"sequential"|"diverging"} kind @param {number} value @param {number} top */
export function colourOf(kind, value, top) {
  const at = place(kind, value, top), strength = kind === "sequential" ? at : Math.abs(2 * at - 1);
  return [...TABLES[kind][Math.round(at * 255)], Math.round(255 * (0.12 + 0.83 * strength))];
}

/** @param {number} value */
export function percent(value) {
  const shown = 100 * value;
  return `${Math.abs(shown) >= 9.95 || shown === 0 ? shown.toFixed(0) : shown.toFixed(1)} %`;
}

/** A legend whose numbers can be changed.
 * @param {"sequential"|"diverging"} kind @param {string} what @param {(value: number) => string} [form] */
export function legend(kind, what, form = percent) {
  const stops = Array.from({ length: 17 }, (_, i) => `rgb(${TABLES[kind][Math.round((i / 16) * 255)].join(" ")})`);
  const ticks = h("span", { class: "hl-ticks" });
  const element = h("div", { class: "hl-legend" }, h("span", { class: "hl-what" }, what),
    h("span", { class: "hl-bar", style: `background: linear-gradient(90deg, ${stops.join(", ")})` }), ticks); // prettier-ignore
  return {
    element,
    /** @param {number} top @param {boolean} [open]  whether some numbers lie beyond */
    show(top, open = false) {
      const values = kind === "sequential" ? [0, top / 4, top] : [-top, 0, top];
      const texts = values.map((value) => (kind === "diverging" && value > 0 ? "+" : "") + form(value).replace("-", "−"));
      if (open) texts.push(`${texts.pop()} or more`);
      ticks.replaceChildren(...texts.map((text) => h("span", {}, text)));
    },
  };
}
