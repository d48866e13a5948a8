// What is drawn over pictures: key-points, boxes, numbers of cells.

import { colourOf, jointColour } from "./colours.js";
import { h } from "./element.js";

/** Side, in its own pixels, of a crop that is shown. */
export const SIDE = 384;
const BONES = Array.from({ length: 20 }, (_, i) => [i % 4 ? i : 0, i + 1]);

/** A square canvas that is drawn anew. @param {string} label @param {Record<string, any>} [more] */
export function square(label, more = {}) {
  return h("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": label, ...more });
}

/** @typedef {{image: ImageData, matrix: number[][]}} Crop */
const bitmaps = new WeakMap(), greys = new WeakMap();

/** The crop as something that can be drawn. @param {Crop} crop @returns {HTMLCanvasElement} */
export function canvasOf(crop) {
  if (!bitmaps.has(crop)) {
    const canvas = h("canvas", { width: crop.image.width, height: crop.image.height });
    canvas.getContext("2d").putImageData(crop.image, 0, 0);
    bitmaps.set(crop, canvas);
  }
  return bitmaps.get(crop);
}

/** The crop in grey, for colours to stand on. Safari's canvases have no filters. @param {Crop} crop @returns {HTMLCanvasElement} */
function greyOf(crop) {
  if (!greys.has(crop)) {
    const { width, height, data } = crop.image, canvas = h("canvas", { width, height }), grey = new ImageData(width, height);
    for (let i = 0; i < data.length; i += 4) {
      grey.data.fill(0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2], i, i + 3);
      grey.data[i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(grey, 0, 0);
    greys.set(crop, canvas);
  }
  return greys.get(crop);
}

/** Points of the image in the crop's pixels. @param {Crop} crop @param {[number, number][]} points */
export function inside({ matrix: [[a, b, c], [d, e, f]] }, points) {
  return points.map(([x, y]) => [a * x + b * y + c, d * x + e * y + f]);
}

/** @param {CanvasRenderingContext2D} context @param {Crop} crop @param {number} [dark]  0 leaves it, 1 is black */
export function drawCrop(context, crop, dark = 0) {
  const { width } = context.canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(dark ? greyOf(crop) : canvasOf(crop), 0, 0, width, width);
  if (dark) {
    context.fillStyle = `rgb(8 8 14 / ${dark})`;
    context.fillRect(0, 0, width, width);
  }
}

/** Numbers of cells as colours. @param {CanvasRenderingContext2D} context @param {ArrayLike<number>} values  row by row
 * @param {"sequential"|"diverging"} kind @param {number} top */
export function drawCells(context, values, kind, top) {
  const cells = Math.round(Math.sqrt(values.length)), small = h("canvas", { width: cells, height: cells });
  const data = new ImageData(cells, cells);
  for (let i = 0; i < values.length; i++) data.data.set(colourOf(kind, values[i], top), 4 * i);
  small.getContext("2d").putImageData(data, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, context.canvas.width, context.canvas.height);
}

/** A hand as lines and dots. @param {CanvasRenderingContext2D} context @param {number[][]} points
 * @param {{width?: number, plain?: string, scores?: number[], dashed?: boolean}} [how]  plain: one colour for all */
export function drawHand(context, points, { width = 5, plain, scores, dashed } = {}) {
  context.lineCap = "round";
  for (const pass of plain ? [1] : [0, 1]) {
    context.setLineDash(dashed ? [2 * width, 2.2 * width] : []);
    for (const [a, b] of BONES) {
      context.lineWidth = pass ? width : 1.7 * width;
      context.strokeStyle = pass ? plain ?? jointColour(b) : "rgb(0 0 0 / 0.45)";
      context.beginPath();
      context.moveTo(points[a][0] + 0.5, points[a][1] + 0.5);
      context.lineTo(points[b][0] + 0.5, points[b][1] + 0.5);
      context.stroke();
    }
  }
  context.setLineDash([]);
  if (dashed) return;
  points.forEach(([x, y], joint) => {
    context.beginPath();
    context.arc(x + 0.5, y + 0.5, 1.15 * width, 0, 7);
    context.fillStyle = plain ?? jointColour(joint);
    context.fill();
    context.lineWidth = width / 3;
    context.strokeStyle = scores && scores[joint] < 0.1 ? "black" : "white";
    context.stroke();
  });
}

/** A box with a word at its corner. @param {CanvasRenderingContext2D} context @param {number[]} box @param {string} colour
 * @param {{width?: number, text?: string, dashed?: boolean, font?: number}} [how] */
export function drawBox(context, [x0, y0, x1, y1], colour, { width = 3, text, dashed, font = 16 } = {}) {
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.setLineDash(dashed ? [2 * width, 2 * width] : []);
  context.strokeRect(x0 + 0.5, y0 + 0.5, x1 - x0, y1 - y0);
  context.setLineDash([]);
  if (!text) return;
  context.font = `600 ${font}px system-ui, sans-serif`;
  const wide = context.measureText(text).width + 0.6 * font, y = Math.max(y0, 1.4 * font);
  context.fillStyle = colour;
  context.fillRect(x0 - width / 2, y - 1.4 * font, wide, 1.4 * font);
  context.fillStyle = "black";
  context.fillText(text, x0 + 0.3 * font, y - 0.4 * font);
}

/** The frame of one cell. @param {CanvasRenderingContext2D} context @param {number} cell @param {number} cells */
export function drawFrame(context, cell, cells) {
  const side = context.canvas.width / cells, x = (cell % cells) * side, y = Math.floor(cell / cells) * side;
  for (const [colour, width] of /** @type {[string, number][]} */ ([["black", 6], ["white", 3]])) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.strokeRect(x - 1, y - 1, side + 2, side + 2);
  }
}
