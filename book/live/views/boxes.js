// Found: the detector's boxes, their confidences, and the default boxes that fired.

import { drawBox } from "./drawing.js";
import { h, step } from "./element.js";
import { LEAST } from "./session.js";

const WIDEST = 900; // pixels of the canvas

/** @param {import("./session.js").Session} session */
export function boxes(session) {
  const canvas = h("canvas", { class: "hl-picture", role: "img", width: 1, height: 1, "aria-label": "The picture with the boxes that were found" });
  const value = h("output", {}, "0.50"), says = h("p", { class: "hl-says" });
  const slider = h("input", { type: "range", min: LEAST, max: 0.99, step: 0.01, value: 0.5, "aria-label": "Threshold of the confidence",
    oninput: () => session.set({ threshold: Number(slider.value) }), onchange: () => session.find() }); // prettier-ignore
  const fired = h("input", { type: "checkbox", onchange: () => draw(session.state) });
  const which = h("div", { class: "hl-row", role: "group", "aria-label": "Go on with" });
  const element = step("Found", "The detector asks 8,160 default boxes whether they hold a hand. Those above the threshold are moved onto it; the best of each heap stays.",
    canvas, h("label", { class: "hl-slider" }, h("span", {}, "Threshold ", value), slider),
    h("label", { class: "hl-check" }, fired, " show the default boxes that fired (dotted), and where they moved"), which, says); // prettier-ignore

  /** @param {any} state */
  function draw({ picture, boxes, threshold, hands, chosen }) {
    if (!picture) return;
    const scale = Math.min(WIDEST / picture.width, WIDEST / picture.height, 2);
    [canvas.width, canvas.height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
    const context = canvas.getContext("2d"), on = (/** @type {number[]} */ box) => box.map((v) => (v + 0.5) * scale - 0.5);
    context.drawImage(picture.source, 0, 0, canvas.width, canvas.height);
    if (!boxes) return;
    const line = Math.max(2, canvas.width / 200), above = boxes.fired.filter((/** @type {any} */ one) => one.score >= threshold);
    if (fired.checked)
      for (const { anchor, box } of above.slice(0, 60)) {
        drawBox(context, on(anchor), "rgb(255 255 255 / 0.65)", { width: 1.5, dashed: true });
        drawBox(context, on(box), "rgb(86 180 233 / 0.6)", { width: 1 });
      }
    const found = boxes.found.filter((/** @type {any} */ one) => one.score >= threshold);
    for (const { box, score } of found) drawBox(context, on(box), "#56b4e9", { width: line, text: score.toFixed(2), font: Math.max(13, canvas.width / 30) });
    if (hands[chosen]) drawBox(context, on(hands[chosen].box), "#f0b63c", { width: line });
    const count = `${found.length} ${found.length === 1 ? "box" : "boxes"} at or above ${threshold.toFixed(2)} (blue, with the detector's confidence), left of ${above.length} default boxes that fired.`;
    says.textContent = hands.length ? `${count} ${hands.length === 1 ? "The hand" : "The chosen hand"} without margin: yellow.` : count;
  }

  /** @param {any} state */
  function offer({ hands, chosen, boxes, busy }) {
    const all = hands.map((/** @type {any} */ hand, /** @type {number} */ i) =>
      h("button", { type: "button", "aria-pressed": String(i === chosen), onclick: () => session.pick(i) }, `Hand ${i + 1}`));
    if (hands.length > 1) which.replaceChildren(...all);
    else if (!hands.length && boxes && !busy)
      which.replaceChildren(h("p", { class: "hl-says" }, "No hand was found above the threshold. Lower it, or "), h("button", { type: "button", onclick: () => session.whole() }, "take the whole picture for a hand"));
    else which.replaceChildren();
  }

  return {
    element,
    /** @param {any} state @param {Set<string>} changed */
    update(state, changed) {
      if (changed.has("threshold")) value.textContent = state.threshold.toFixed(2);
      if (["picture", "boxes", "threshold", "hands", "chosen"].some((key) => changed.has(key))) draw(state);
      if (["boxes", "hands", "chosen", "busy"].some((key) => changed.has(key))) offer(state);
    },
  };
}
