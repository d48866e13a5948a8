// Default boxes, offsets and suppression: handpose/detector.py.

import { letterbox } from "./crop.js";
import { sigmoid } from "./scoremap.js";

/** @typedef {import("./skeleton.js").Box} Box */
/** @typedef {import("./resize.js").Pixels} Pixels */
/** What the network gives for one picture: a logit and four offsets for each default box.
 * @typedef {(image: Pixels) => Promise<{logits: Float32Array, offsets: Float32Array}>} Detector */

export const SIZE = 256;
const STRIDES = [8, 16, 32, 64], SIDES = [[0.09, 0.13], [0.19, 0.27], [0.38, 0.52], [0.66, 0.86]];
const RATIOS = [0.4, 0.75, 1.35], VARIANCES = [0.1, 0.2], BODY = 0.1;
export const OVERLAP = 0.45, MOST = 20;

/** The default boxes: map by map, cell by cell, and within a cell side by side, ratio by ratio. @returns {Box[]} */
export function anchors(size = SIZE) {
  const boxes = /** @type {Box[]} */ ([]);
  STRIDES.forEach((stride, k) => {
    const n = Math.floor(size / stride), middle = (stride - 1) / 2;
    for (let row = 0; row < n; row++)
      for (let column = 0; column < n; column++)
        for (const side of SIDES[k])
          for (const ratio of RATIOS) {
            const w = (side * size * Math.sqrt(ratio)) / 2, h = (side * size) / Math.sqrt(ratio) / 2;
            const x = column * stride + middle, y = row * stride + middle;
            boxes.push([x - w, y - h, x + w, y + h]);
          }
  });
  return boxes;
}

/** A default box moved by its offsets. @param {ArrayLike<number>} offsets @param {Box} box @returns {Box} */
export function decode(offsets, [x0, y0, x1, y1]) {
  const w = x1 - x0, h = y1 - y0, grow = (/** @type {number} */ v) => Math.exp(Math.min(Math.max(v * VARIANCES[1], -2.8), 2.8));
  const x = (x0 + x1) / 2 + offsets[0] * VARIANCES[0] * w, y = (y0 + y1) / 2 + offsets[1] * VARIANCES[0] * h;
  const across = (w * grow(offsets[2])) / 2, down = (h * grow(offsets[3])) / 2;
  return [x - across, y - down, x + across, y + down];
}

/** Intersection over union. @param {Box} a @param {Box} b */
export function iou(a, b) {
  const w = Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0);
  const h = Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
  const area = (/** @type {Box} */ [x0, y0, x1, y1]) => Math.max(x1 - x0, 0) * Math.max(y1 - y0, 0);
  return (w * h) / Math.max(area(a) + area(b) - w * h, 1e-9);
}

/** Indices of the boxes that stay, best first. @param {Box[]} boxes @param {number[]} scores @param {number} overlap */
export function nms(boxes, scores, overlap) {
  const order = scores.map((_, i) => i).filter((i) => scores[i] > 0).sort((i, j) => scores[j] - scores[i]);
  const kept = /** @type {number[]} */ ([]);
  for (const i of order) if (kept.every((j) => iou(boxes[i], boxes[j]) <= overlap)) kept.push(i);
  return kept;
}

/** The key-points' box within a detector's. @param {Box} box @returns {Box} */
export function box_to_keypoint_extent([x0, y0, x1, y1]) {
  const part = BODY / (1 + 2 * BODY), w = part * (x1 - x0), h = part * (y1 - y0);
  return /** @type {Box} */ ([x0 + w, y0 + h, x1 - w, y1 - h].map(Math.fround));
}

/** Default boxes at or above a confidence, moved, in the picture's pixels and clipped to it; in the network's order.
 * @param {Detector} net @param {Pixels} image @param {number} threshold
 * @returns {Promise<{box: Box, anchor: Box, score: number}[]>} */
export async function fired(net, image, threshold) {
  const [small, factor] = letterbox(image, SIZE), { logits, offsets } = await net(small), default_boxes = kept_anchors();
  const found = [], whole = (/** @type {Box} */ box) => box.map((v) => (v + 0.5) / factor - 0.5);
  const ends = [image.width, image.height, image.width, image.height];
  for (let i = 0; i < logits.length; i++) {
    const score = Math.fround(sigmoid(logits[i]));
    if (score < threshold) continue;
    const box = whole(decode(offsets.subarray(4 * i, 4 * i + 4), default_boxes[i]));
    const clipped = box.map((v, k) => Math.fround(Math.min(Math.max(v, -0.5), ends[k] - 0.5)));
    found.push({ box: /** @type {Box} */ (clipped), anchor: /** @type {Box} */ (whole(default_boxes[i])), score });
  }
  return found;
}

/** @type {Box[] | undefined} */
let anchors_once;
function kept_anchors() {
  return (anchors_once ??= anchors());
}

/** Of boxes that fired those that stay, best first. @param {{box: Box, score: number}[]} all @returns {{box: Box, score: number}[]} */
export function suppressed(all) {
  const chosen = nms(all.map((one) => one.box), all.map((one) => one.score), OVERLAP);
  const inside = chosen.filter((i) => all[i].box[2] - all[i].box[0] >= 1 && all[i].box[3] - all[i].box[1] >= 1);
  return inside.slice(0, MOST).map((i) => ({ box: all[i].box, score: all[i].score }));
}

/** Boxes of the hands in a picture, best first. @param {Detector} net @param {Pixels} image @param {number} threshold */
export async function detect(net, image, threshold) {
  return suppressed(await fired(net, image, threshold));
}
