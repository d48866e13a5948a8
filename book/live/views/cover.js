// Covering a part of the picture: bands in the mean colour of what is around them, as handpose/study/analysis.py paints them.

import { SIDE, canvasOf } from "./drawing.js";

/** Half the width of a band, of the crop's side: 7 of 128 pixels, as in Chapter 9. */
export const RADIUS = 7 / 128;

/** A band over points of the crop. @typedef {{points: number[][], finger?: number}} Stroke */

/** @param {CanvasRenderingContext2D} context @param {number[][]} points @param {number} radius @param {string} colour */
function band(context, points, radius, colour) {
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = 2 * radius;
  context.strokeStyle = colour;
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (points.length === 1) context.lineTo(points[0][0] + 0.01, points[0][1]);
  context.stroke();
}

/** The mean colour of a ring around a band, as wide as the band. @param {any} crop @param {Stroke} stroke */
function around(crop, { points }) {
  const small = 128, scale = small / SIDE, canvas = new OffscreenCanvas(small, small), total = [0, 0, 0];
  const context = /** @type {any} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(canvasOf(crop), 0, 0, small, small);
  const pixels = context.getImageData(0, 0, small, small).data;
  context.clearRect(0, 0, small, small);
  const shrunk = points.map(([x, y]) => [x * scale, y * scale]);
  band(context, shrunk, 3 * RADIUS * small, "#ff0000");
  band(context, shrunk, RADIUS * small, "#0000ff");
  const ring = context.getImageData(0, 0, small, small).data;
  let count = 0;
  for (let i = 0; i < ring.length; i += 4) {
    if (ring[i] < 200 || ring[i + 3] < 200) continue;
    for (let k = 0; k < 3; k++) total[k] += pixels[i + k];
    count++;
  }
  return `rgb(${total.map((sum) => Math.round(sum / Math.max(count, 1))).join(" ")})`;
}

/** A copy of the picture with bands painted over it.
 * @param {import("./session.js").Chosen} picture @param {Stroke[]} strokes  in pixels of the crop @param {any} crop  uncovered */
export function painted({ source, width, height }, strokes, crop) {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [width, height];
  context.drawImage(source, 0, 0, width, height);
  const [[a, b, c], [d, e, f]] = crop.inverse;
  context.setTransform(a, d, b, e, c + 0.5, f + 0.5); // from pixels of the crop to those of the picture
  for (const stroke of strokes) band(context, stroke.points, RADIUS * SIDE, around(crop, stroke));
  return canvas;
}
