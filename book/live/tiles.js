// A closer look for small hands, at four overlapping quarters of a picture: handpose/tiles.py.

import * as detector from "./detector.js";
import { cut, roundHalfEven } from "./resize.js";

/** @typedef {import("./skeleton.js").Box} Box */

const PART = 2 / 3, CUT = 0.02;

/** The four tiles: whole pixels, the ends not included. @param {number} height @param {number} width @returns {Box[]} */
export function quarters(height, width) {
  const w = Math.max(1, roundHalfEven(PART * width)), h = Math.max(1, roundHalfEven(PART * height));
  return [0, height - h].flatMap((y) => [0, width - w].map((x) => /** @type {Box} */ ([x, y, x + w, y + h])));
}

/** Boxes of the hands in the four quarters, best first, without those cut off.
 * @param {import("./detector.js").Detector} net @param {import("./resize.js").Pixels} image @param {number} threshold */
export async function detect(net, image, threshold) {
  const all = /** @type {{box: Box, score: number}[]} */ ([]);
  for (const [x0, y0, x1, y1] of quarters(image.height, image.width)) {
    const near = CUT * Math.max(x1 - x0, y1 - y0);
    const inner = [x0 > 0, y0 > 0, x1 < image.width, y1 < image.height], edges = [x0, y0, x1, y1];
    for (const { box, score } of await detector.detect(net, cut(image, x0, y0, x1, y1), threshold)) {
      const own = box.map((v, k) => Math.fround(v + [x0, y0][k % 2]));
      const kept = own.every((v, k) => !inner[k] || Math.abs(v - (edges[k] - 0.5)) > near);
      if (kept) all.push({ box: /** @type {Box} */ (own), score });
    }
  }
  const kept = detector.nms(all.map((one) => one.box), all.map((one) => one.score), detector.OVERLAP);
  return kept.slice(0, detector.MOST).map((i) => all[i]);
}
