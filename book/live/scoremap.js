// From score maps to key-points: handpose/scoremap.py.

/** @typedef {import("./skeleton.js").Point} Point */

export const STRIDE = 8;

/** @param {Point[]} points  in cells @returns {Point[]}  in pixels of the crop */
export function to_pixels(points) {
  return points.map(([x, y]) => [Math.fround((x + 0.5) * STRIDE - 0.5), Math.fround((y + 0.5) * STRIDE - 0.5)]);
}

/** @param {number} value */
export function sigmoid(value) {
  return 0.5 * (1 + Math.tanh(value / 2));
}

/** @param {number} z */
function logSigmoid(z) {
  return Math.min(z, 0) - Math.log1p(Math.exp(-Math.abs(z)));
}

/** The highest cell of each map, refined below a cell by a parabola through the logarithms of the scores.
 * @param {Float32Array} logits  joints x cells x cells @param {number} cells  of a side, at least 3
 * @returns {{points: Point[], scores: number[]}}  points in cells */
export function decode(logits, cells) {
  const points = /** @type {Point[]} */ ([]), scores = [];
  for (let start = 0; start < logits.length; start += cells * cells) {
    let best = start;
    for (let i = start; i < start + cells * cells; i++) if (logits[i] > logits[best]) best = i;
    const column = (best - start) % cells, row = Math.floor((best - start) / cells);
    const x = refine((i) => logits[start + row * cells + i], column, cells);
    const y = refine((i) => logits[start + i * cells + column], row, cells);
    points.push([x, y]);
    scores.push(Math.fround(sigmoid(logits[best])));
  }
  return { points, scores };
}

/** @param {(i: number) => number} line  values along one axis through the peak @param {number} at  where the peak is
 * @param {number} cells */
function refine(line, at, cells) {
  const middle = Math.min(Math.max(at, 1), cells - 2);
  const [left, centre, right] = [-1, 0, 1].map((d) => logSigmoid(line(middle + d)));
  const curvature = left - 2 * centre + right;
  if (!(curvature < -1e-9)) return at; // flat or hollow: no peak to refine
  const vertex = middle + (0.5 * (left - right)) / curvature;
  return Math.min(Math.max(vertex, at - 0.5), at + 0.5);
}
