// From a picture to the square crop that the network sees, and back: handpose/crop.py.

import { tight_box } from "./skeleton.js";
import { meansOfBlocks, roundHalfEven, warpAffine } from "./resize.js";

/** @typedef {import("./skeleton.js").Point} Point */
/** @typedef {import("./skeleton.js").Box} Box */
/** @typedef {import("./resize.js").Pixels} Pixels */
/** A map of the plane: [[a, b, c], [d, e, f]]. @typedef {number[][]} Matrix */
/** Where a crop is taken; angle in radians clockwise. @typedef {{box: Box, angle: number}} View */

export const MARGIN = 1.25;
const WRIST = 0, MIDDLE = 9;
export const GREY = 127;
const SMALLEST = 8, LARGEST = 20;

/** A box as four numbers, or an error that says what is wrong with it.
 * @param {ArrayLike<number>} box @param {number} width @param {number} height @returns {Box} */
export function check_box(box, width, height) {
  const given = Array.from(box ?? [], Number), shown = given.join(",");
  if (given.length !== 4 || !given.every(Number.isFinite))
    throw new Error(`box ${shown || String(box)} is not four finite numbers x0,y0,x1,y1`);
  const [x0, y0, x1, y1] = given;
  if (x0 >= x1 || y0 >= y1)
    throw new Error(`box ${shown} is empty or in the wrong order; give x0,y0,x1,y1 with x0 < x1 and y0 < y1`);
  if (x0 >= width || y0 >= height || x1 <= 0 || y1 <= 0)
    throw new Error(`box ${shown} lies outside the picture, which is ${width} wide and ${height} high`);
  const side = Math.fround(Math.max(x1 - x0, y1 - y0)), size = Number(side.toPrecision(3));
  if (side < SMALLEST)
    throw new Error(`box ${shown} is ${size} pixels large; at least ${SMALLEST} are needed, in pixels of the picture`);
  if (side > LARGEST * Math.max(width, height))
    throw new Error(`box ${shown} is far larger than the picture, which is ${width} wide and ${height} high`);
  return /** @type {Box} */ (given.map(Math.fround));
}

/** Centre and side of the square to cut out. @param {Box} box @param {number} [margin] @returns {[Point, number]} */
export function square_around(box, margin = MARGIN) {
  const half = Math.max(box[2] - box[0], box[3] - box[1]) / 2;
  return [[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], Math.max(2 * half * margin, 1)];
}

/** The map from the picture to a crop. @param {Point} centre @param {number} side @param {number} size
 * @param {number} [rotation]  radians; the hand turns clockwise @returns {Matrix} */
export function affine(centre, side, size, rotation = 0) {
  const scale = size / side, cos = Math.cos(rotation) * scale, sin = Math.sin(rotation) * scale, middle = (size - 1) / 2;
  return [
    [cos, -sin, middle - (cos * centre[0] - sin * centre[1])],
    [sin, cos, middle - (sin * centre[0] + cos * centre[1])],
  ];
}

/** @param {Matrix} matrix @param {Point[]} points @returns {Point[]} */
export function apply([[a, b, c], [d, e, f]], points) {
  return points.map(([x, y]) => [Math.fround(a * x + b * y + c), Math.fround(d * x + e * y + f)]);
}

/** @param {Matrix} matrix @returns {Matrix} */
export function invert([[a, b, c], [d, e, f]]) {
  const one = 1 / (a * e - b * d), [p, q, r, s] = [e * one, -b * one, -d * one, a * one];
  return [[p, q, -p * c - q * f], [r, s, -r * c - s * f]];
}

/** Cut the crop out of the picture; a crop much smaller than what it shows is first shrunk by a whole number.
 * @param {Pixels} image @param {Matrix} matrix @param {number} size @returns {Pixels} */
export function warp(image, matrix, size) {
  const [[a, b, c], [d, e, f]] = matrix, shrink = 1 / Math.sqrt(Math.abs(a * e - b * d));
  if (shrink <= 1.5) return warpAffine(image, invert(matrix), size);
  const n1 = size - 1, [low, high] = extent(apply(invert(matrix), [[0, 0], [n1, 0], [0, n1], [n1, n1]]));
  const { width, height } = image, beyond = (/** @type {number} */ v) => Math.ceil(v + shrink) + 2;
  const x0 = clamp(Math.floor(low[0]) - 2, 0, width - 1), y0 = clamp(Math.floor(low[1]) - 2, 0, height - 1);
  const x1 = clamp(beyond(high[0]), x0 + 1, width), y1 = clamp(beyond(high[1]), y0 + 1, height);
  const n = Math.floor(Math.min(Math.max(shrink, 2), x1 - x0, y1 - y0)), ox = (n - 1) / 2 + x0, oy = (n - 1) / 2 + y0;
  const whole = [[a * n, b * n, a * ox + b * oy + c], [d * n, e * n, d * ox + e * oy + f]];
  return warpAffine(meansOfBlocks(image, [x0, y0, x1, y1], n), invert(whole), size);
}

/** @param {Point[]} points @returns {[Point, Point]} */
function extent(points) {
  const box = tight_box(points);
  return [[box[0], box[1]], [box[2], box[3]]];
}

/** @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** The crop around a box, as prediction makes it. @param {Pixels} image @param {Box} box @param {number} size
 * @param {number} [angle]  radians clockwise; the crop shows a hand that is turned so far upright
 * @returns {{image: Pixels, matrix: Matrix}} */
export function crop_box(image, box, size, angle = 0) {
  const [centre, side] = square_around(box), matrix = affine(centre, side, size, -angle);
  return { image: warp(image, matrix, size), matrix };
}

/** How far a hand is turned from upright: radians clockwise. @param {Point[]} points */
export function angle_of(points) {
  return Math.atan2(points[MIDDLE][0] - points[WRIST][0], -(points[MIDDLE][1] - points[WRIST][1]));
}

/** The tight box of key-points along the hand's own axes, to be turned about its own centre by the angle.
 * @param {Point[]} points @param {Box} [box]  in which the hand was looked for @returns {View} */
export function upright_box(points, box) {
  const angle = angle_of(points), turn = affine([0, 0], 1, 1, -angle), upright = tight_box(apply(turn, points));
  let [[x, y]] = apply(invert(turn), [[(upright[0] + upright[2]) / 2, (upright[1] + upright[3]) / 2]]);
  if (box) [x, y] = [(x + (box[0] + box[2]) / 2) / 2, (y + (box[1] + box[3]) / 2) / 2];
  const across = (upright[2] - upright[0]) / 2, down = (upright[3] - upright[1]) / 2;
  return { box: /** @type {Box} */ ([x - across, y - down, x + across, y + down].map(Math.fround)), angle };
}

/** A picture shrunk or enlarged to fit the top left of a grey square, and the factor.
 * @param {Pixels} image @param {number} size @returns {[Pixels, number]} */
export function letterbox(image, size) {
  const factor = size / Math.max(image.width, image.height), shift = (factor - 1) / 2;
  const width = Math.max(1, roundHalfEven(image.width * factor)), height = Math.max(1, roundHalfEven(image.height * factor));
  const out = warp(image, [[factor, 0, shift], [0, factor, shift]], size);
  const pixels = new Uint32Array(out.data.buffer), grey = 0xff000000 + 0x010101 * GREY; // four bytes a pixel
  for (let y = 0; y < height; y++) pixels.fill(grey, y * size + width, (y + 1) * size);
  pixels.fill(grey, height * size);
  return [out, factor];
}
