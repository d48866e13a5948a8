// The 21 key-points of a hand: handpose/skeleton.py.

/** @typedef {[number, number]} Point */
/** @typedef {[number, number, number, number]} Box */

export const FINGERS = ["thumb", "index", "middle", "ring", "little"];
export const JOINTS = [
  "wrist",
  ...FINGERS.flatMap((finger) =>
    (finger === "thumb" ? ["CMC", "MCP", "IP", "tip"] : ["MCP", "PIP", "DIP", "tip"]).map((joint) => `${finger} ${joint}`),
  ),
];
export const NUM_JOINTS = 21;
/** @type {[number, number][]} parent and child */
export const BONES = Array.from({ length: 20 }, (_, k) => [k % 4 === 0 ? 0 : k, k + 1]);
const INDEX_MCP = 5, INDEX_PIP = 6, SCALE_FLOOR = 0.15;

/** @param {Point[]} points @returns {Box} */
export function tight_box(points) {
  const box = /** @type {Box} */ ([Infinity, Infinity, -Infinity, -Infinity]);
  for (const [x, y] of points) {
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  }
  return box;
}

/** The paper's unit of length s, in pixels. @param {Point[]} points @returns {number} */
export function unit_length(points) {
  const [x0, y0, x1, y1] = tight_box(points);
  const bone = Math.hypot(points[INDEX_PIP][0] - points[INDEX_MCP][0], points[INDEX_PIP][1] - points[INDEX_MCP][1]);
  return Math.max(bone, SCALE_FLOOR * Math.max(x1 - x0, y1 - y0));
}
