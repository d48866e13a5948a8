// Places of a hand in words.

const FINGER = ["thumb", "index finger", "middle finger", "ring finger", "little finger"];
const PART = ["base", "first joint", "second joint", "tip"];

/** What a joint is called. @param {number} joint */
export function jointName(joint) {
  if (!joint) return "wrist";
  const part = (joint - 1) % 4;
  return part === 3 ? `tip of the ${FINGER[Math.floor((joint - 1) / 4)]}` : `${PART[part]} of the ${FINGER[Math.floor((joint - 1) / 4)]}`;
}

/** The same where there is little room. @param {number} joint */
export function shortName(joint) {
  return joint ? `${FINGER[Math.floor((joint - 1) / 4)].split(" ")[0]} ${["base", "joint 1", "joint 2", "tip"][(joint - 1) % 4]}` : "wrist";
}

/** The cell of a point in a crop. @param {number[]} point @param {number} side @param {number} cells */
export function cellAt([x, y], side, cells) {
  const clip = (/** @type {number} */ v) => Math.min(Math.max(Math.floor(((v + 0.5) * cells) / side), 0), cells - 1);
  return clip(y) * cells + clip(x);
}

/** The joint nearest to a cell, if it is nearer than two cells.
 * @param {number} cell @param {number[][]} points  in the crop @param {number} side @param {number} cells @returns {number | null} */
export function nearest(cell, points, side, cells) {
  const size = side / cells, x = ((cell % cells) + 0.5) * size, y = (Math.floor(cell / cells) + 0.5) * size;
  const far = points.map((point) => Math.hypot(point[0] - x, point[1] - y)), best = far.indexOf(Math.min(...far));
  return far[best] < 2 * size ? best : null;
}

/** A cell in words. @param {number} cell @param {number} cells */
export function cellName(cell, cells) {
  return `column ${(cell % cells) + 1}, row ${Math.floor(cell / cells) + 1}`;
}
