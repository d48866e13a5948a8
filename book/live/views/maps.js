// Score maps: 21 small ones, and one of them large over the crop.

import { jointColour, legend } from "./colours.js";
import { SIDE, drawCells, drawCrop, drawHand, inside, square } from "./drawing.js";
import { choice, h, roving, step } from "./element.js";
import { removed } from "./removed.js";
import { jointName } from "./words.js";

const JOINTS = [0, ...Array.from({ length: 20 }, (_, i) => 4 * (i % 5) + Math.floor(i / 5) + 1)]; // a finger a column

/** @param {import("./session.js").Session} session */
export function maps(session) {
  const large = square("The crop, and over it the score map of the chosen key-point", { class: "hl-large hl-click" });
  const says = h("p", { class: "hl-says" }), scale = legend("sequential", "score", (value) => value.toFixed(2));
  const small = JOINTS.map((joint) => {
    const canvas = h("canvas", { width: 48, height: 48, "aria-hidden": true });
    const button = h("button", { type: "button", class: "hl-map", "aria-label": `Score map: ${jointName(joint)}`, style: `--joint: ${jointColour(joint)}`,
      onclick: () => session.set({ joint, cell: null }) }, canvas); // prettier-ignore
    return { joint, canvas, button };
  });
  const grid = h("div", { class: "hl-maps", role: "group", "aria-label": "Score maps: thumb to little finger from left to right, base to tip from top to bottom. Arrow keys go from one to the next." },
    ...small.map((one) => one.button)); // prettier-ignore
  roving(grid, 5);
  const stages = choice("Stage", [[0, "stage 1"], [-1, "stage 2"]], -1, (stage) => session.set({ stage })); // prettier-ignore
  const banner = removed(session);
  const element = step("Score maps", "For every key-point the network paints a map: how well does each cell fit? The peak becomes the point. Click a joint of the hand, or a small map.",
    banner.element, h("div", { class: "hl-two" }, h("div", {}, large, scale.element), h("div", {}, h("div", { class: "hl-row" }, stages), grid, says))); // prettier-ignore
  large.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const { now, stage } = session.state;
    if (!now) return;
    const { left, top, width } = large.getBoundingClientRect(), x = ((event.clientX - left) / width) * SIDE, y = ((event.clientY - top) / width) * SIDE;
    const far = inside(now.crop, now.stages.at(stage).keypoints).map((point) => Math.hypot(point[0] - x, point[1] - y));
    session.set({ joint: far.indexOf(Math.min(...far)), cell: null });
  });

  /** @param {any} state */
  function draw({ now, joint, stage }) {
    const { maps, keypoints, scores } = now.stages.at(stage), { cells, crop } = now, area = cells * cells;
    const of = (/** @type {number} */ k) => maps.subarray(k * area, (k + 1) * area);
    for (const { joint: k, canvas, button } of small) {
      const context = canvas.getContext("2d");
      context.fillStyle = "#0a0a12";
      context.fillRect(0, 0, 48, 48);
      drawCells(context, of(k), "sequential", 1);
      button.setAttribute("aria-pressed", String(k === joint));
      button.tabIndex = k === joint ? 0 : -1;
    }
    const context = large.getContext("2d"), points = inside(crop, keypoints);
    drawCrop(context, crop, 0.25);
    drawCells(context, of(joint), "sequential", 1);
    drawHand(context, points, { width: 2, plain: "rgb(255 255 255 / 0.75)" });
    const [x, y] = points[joint];
    context.lineWidth = 4;
    for (const [colour, radius] of /** @type {[string, number][]} */ ([["black", 13], ["white", 10]])) {
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(x + 0.5, y + 0.5, radius, 0, 7);
      context.stroke();
    }
    const peak = Math.max(...of(joint)), others = now.stages.map((/** @type {any} */ one) => one.scores[joint].toFixed(2));
    says.textContent = `${jointName(joint)[0].toUpperCase()}${jointName(joint).slice(1)}: peak ${peak.toFixed(2)} of 1; confidence ${scores[joint].toFixed(2)} (${others.map((/** @type {string} */ v, /** @type {number} */ i) => `stage ${i + 1}: ${v}`).join(", ")}). ${cells} × ${cells} cells of ${now.size / cells} pixels.`;
    scale.show(1);
  }

  return {
    element,
    /** @param {any} state @param {Set<string>} changed */
    update(state, changed) {
      element.classList.toggle("hl-waits", !state.now);
      banner.update(state, changed);
      if (state.now && ["now", "joint", "stage"].some((key) => changed.has(key))) draw(state);
    },
  };
}
