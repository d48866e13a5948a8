// A letter of the finger alphabet, read from the 21 key-points alone.

import { percent } from "./colours.js";
import { drawHand } from "./drawing.js";
import { h, step } from "./element.js";
import { removed } from "./removed.js";

const SHOWN = 5;

/** @param {import("./session.js").Session} session */
export function letter(session) {
  session.wants.letter = true;
  const canvas = h("canvas", { width: 300, height: 300, class: "hl-points", role: "img", "aria-label": "The 21 key-points, without the picture" });
  const big = h("p", { class: "hl-letter", role: "status" }), bars = h("ol", { class: "hl-bars" });
  const banner = removed(session);
  const element = step("A letter", "The last network never sees the picture: 21 points in, a letter of the finger alphabet out.",
    banner.element, h("div", { class: "hl-two hl-reads" }, canvas, h("div", {}, big, bars))); // prettier-ignore

  /** @param {any} now */
  function draw({ keypoints, letters }) {
    const context = canvas.getContext("2d"), xs = keypoints.map((/** @type {number[]} */ p) => p[0]), ys = keypoints.map((/** @type {number[]} */ p) => p[1]);
    const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)], scale = 250 / Math.max(x1 - x0, y1 - y0, 1);
    context.clearRect(0, 0, 300, 300);
    drawHand(context, keypoints.map((/** @type {number[]} */ [x, y]) => [150 + (x - (x0 + x1) / 2) * scale, 150 + (y - (y0 + y1) / 2) * scale]), { width: 5 });
    if (!letters.length) {
      big.textContent = "No letter can be read from these points.";
      bars.replaceChildren();
      return;
    }
    big.replaceChildren(h("b", {}, letters[0][0]), h("span", {}, `${percent(letters[0][1])}, says the classifier`));
    bars.replaceChildren(...letters.slice(0, SHOWN).map((/** @type {[string, number]} */ [name, part]) =>
      h("li", {}, h("b", {}, name), h("span", { class: "hl-length", style: `--part: ${(100 * part).toFixed(1)}%` }), h("span", {}, percent(part))))); // prettier-ignore
  }

  return {
    element,
    /** @param {any} state @param {Set<string>} changed */
    update(state, changed) {
      element.classList.toggle("hl-waits", !state.now);
      banner.update(state, changed);
      if (state.now && changed.has("now")) draw(state.now);
    },
  };
}
