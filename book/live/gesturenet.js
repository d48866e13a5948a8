// Letters from key-points: handpose/gesturenet.py.

import { NUM_JOINTS, unit_length } from "./skeleton.js";

/** @typedef {import("./skeleton.js").Point} Point */

/** Key-points moved to the palm and divided by the unit s; null where there is no hand to read.
 * @param {Point[]} points @returns {Float32Array | null}  21 x 2 */
export function normalise(points) {
  if (points.length !== NUM_JOINTS || !points.flat().every(Number.isFinite)) return null;
  const unit = unit_length(points);
  if (!(unit > 0)) return null;
  const palm = [(points[0][0] + points[9][0]) / 2, (points[0][1] + points[9][1]) / 2];
  return Float32Array.from(points.flatMap(([x, y]) => [(x - palm[0]) / unit, (y - palm[1]) / unit]));
}

/** Labels with their probabilities, most likely first. @param {Float32Array} logits @param {string[]} labels
 * @returns {[string, number][]} */
export function read(logits, labels) {
  const top = Math.max(...logits.subarray(0, labels.length)), parts = labels.map((_, i) => Math.exp(logits[i] - top));
  const sum = parts.reduce((a, b) => a + b, 0);
  const all = labels.map((label, i) => /** @type {[string, number]} */ ([label, parts[i] / sum]));
  return all.sort((a, b) => b[1] - a[1]);
}
