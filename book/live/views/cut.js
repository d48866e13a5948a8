// Cut out, and turned upright where the first pass says so.

import { SIDE, drawCrop, drawHand, inside, square } from "./drawing.js";
import { h, step } from "./element.js";

/** @param {import("./session.js").Session} session */
export function cut(session) {
  const places = ["As it was found", "As the network sees it", "What it answers"].map((title) => {
    const canvas = square(title), words = h("figcaption");
    return { canvas, words, element: h("figure", {}, canvas, words) };
  });
  const says = h("p", { class: "hl-says" });
  const element = step("Cut out and turned upright", "The box grows to a square with a quarter to spare. A first pass tells which way the fingers point; where that is more than 50° from upright, the crop is turned, and looked at again.",
    h("div", { class: "hl-three" }, ...places.map((place) => place.element)), says); // prettier-ignore
  let shown = 0;

  /** @param {any} before @param {any} hand */
  async function draw(before, hand) {
    const turn = ++shown, { crop, size, keypoints, scores } = before, degrees = Math.round((hand.view.angle * 180) / Math.PI);
    const first = hand.first ? await session.live.crop(session.state.handle, hand.first.view, { size: SIDE }) : crop;
    const seen = await session.live.crop(session.state.handle, hand.view, { size });
    if (turn !== shown) return;
    const [a, b, c] = places.map((place) => place.canvas.getContext("2d"));
    drawCrop(a, first);
    drawCrop(b, seen);
    drawCrop(c, crop);
    if (hand.first) drawHand(a, inside(first, hand.first.keypoints), { width: 3, dashed: true, plain: "white" });
    drawHand(c, inside(crop, keypoints), { scores });
    places[0].words.textContent = hand.first ? "As it was found, with the first pass" : "As it was found";
    places[1].words.textContent = `What the network sees: ${size} × ${size} pixels${degrees ? `, turned by ${Math.abs(degrees)}°` : ""}`;
    places[2].words.textContent = "What it answers: 21 key-points";
    const turned = degrees ? `points ${Math.abs(degrees)}° ${degrees > 0 ? "clockwise" : "anticlockwise"} of upright, so the crop is turned back and looked at again` : "is nearly upright, so the crop is not turned";
    says.textContent = `The hand ${turned}. Mean confidence of its 21 key-points: ${(scores.reduce((/** @type {number} */ s, /** @type {number} */ v) => s + v, 0) / scores.length).toFixed(2)}.`;
  }

  return {
    element,
    /** @param {any} state @param {Set<string>} changed */
    update({ before }, changed) {
      element.classList.toggle("hl-waits", !before);
      if (changed.has("before") && before) session.trying(() => draw(before, session.hand));
    },
  };
}
