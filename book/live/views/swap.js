// The block swapped: the very same crop through networks that were trained with something else in its place.

import { drawCrop, drawHand, inside, square } from "./drawing.js";
import { h, step } from "./element.js";

/** @param {import("./session.js").Session} session */
export function swap(session) {
  session.wants.swap = true;
  const row = h("div", { class: "hl-three hl-beside" }), says = h("p", { class: "hl-says" });
  const { blocks } = session.live.about;
  const how = blocks && `each of ${blocks.width} times the published width, after ${blocks.steps.toLocaleString("en-GB")} steps on crops of ${blocks.size} × ${blocks.size} pixels`;
  const element = step("The block swapped", `The same crop through networks of Chapter 9 that were trained alike, with something else where the attention stands: ${how}. They are smaller than the network of the other steps and were trained for less, so expect larger errors.`, row, says);

  element.hidden = !blocks;

  /** @param {any} state */
  function draw({ swapped, before, picture }) {
    const { networks } = session.live.about, unit = before.size / before.crop.image.width;
    const base = inside(before.crop, before.keypoints), truth = picture.truth && inside(before.crop, picture.truth);
    const far = (/** @type {number[][]} */ a, /** @type {number[][]} */ b) => a.reduce((sum, point, i) => sum + Math.hypot(point[0] - b[i][0], point[1] - b[i][1]), 0) / a.length * unit; // prettier-ignore
    row.replaceChildren(...swapped.map((/** @type {any} */ one) => {
      const { title, parameters } = networks.find((/** @type {any} */ about) => about.name === one.network), canvas = square(`Key-points of the network ${one.network}`);
      const points = inside(before.crop, one.keypoints), context = canvas.getContext("2d");
      drawCrop(context, before.crop);
      if (truth) drawHand(context, truth, { width: 3, plain: "white", dashed: true });
      drawHand(context, points, { scores: one.scores });
      const errors = truth ? `${far(points, truth).toFixed(1)} px from the truth (dashed)` : `${far(points, base).toFixed(1)} px from the network of the other steps`;
      return h("figure", {}, canvas, h("figcaption", {}, h("b", {}, one.network), `: ${title}. ${(parameters / 1e6).toFixed(2)} million parameters. ${errors}.`));
    })); // prettier-ignore
    says.textContent = `Mean distances of 21 key-points in pixels of the ${before.size} × ${before.size} crop. One picture decides nothing: Chapter 9 compares such networks on thousands of hands.`;
  }

  return {
    element,
    /** @param {any} state @param {Set<string>} changed */
    update(state, changed) {
      element.classList.toggle("hl-waits", !state.swapped);
      if (state.swapped && changed.has("swapped")) session.trying(async () => draw(state));
    },
  };
}
