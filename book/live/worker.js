// What the worker answers: one message after the other, each a call by its name.

import { Confidence } from "./confidence.js";
import { check_box, crop_box, invert } from "./crop.js";
import * as detector from "./detector.js";
import { Networks } from "./networks.js";
import { bytesOf } from "./parts.js";
import { HandPose, THRESHOLD, check_image, check_threshold } from "./pipeline.js";
import { sigmoid } from "./scoremap.js";
import { Tracker } from "./tracking.js";

/** @typedef {import("./skeleton.js").Box} Box */
/** @typedef {import("./crop.js").View} View */
/** @typedef {import("./crop.js").Matrix} Matrix */
/** @typedef {import("./pipeline.js").Pass} Pass */
/** An image in a message. `scale`: pixels of the image as given along a side of one that arrived.
 * @typedef {{bitmap?: ImageBitmap, pixels?: import("./resize.js").Pixels, opened?: number, scale?: number}} Sent */

/** @type {Networks} */
let nets;
/** @type {HandPose} */
let hp;
/** @type {Float32Array} */
let usual;
const opened = new Map(), trackers = new Map();
/** @type {OffscreenCanvas | undefined} */
let canvas;

/** The pixels of an image, on white where it is transparent. @param {Sent} sent */
function pixelsOf(sent) {
  if (sent.opened !== undefined) {
    if (!opened.has(sent.opened)) throw new Error("this image was closed; open it again");
    return opened.get(sent.opened);
  }
  return { image: sent.bitmap ? drawn(sent.bitmap) : onWhite(sent.pixels), scale: sent.scale };
}

/** @param {ImageBitmap} bitmap */
function drawn(bitmap) {
  const { width, height } = bitmap;
  canvas ??= new OffscreenCanvas(width, height);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/** @param {import("./resize.js").Pixels} image */
function onWhite(image) {
  const { data } = image;
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3] / 255;
    if (alpha < 1) for (let k = i; k < i + 3; k++) data[k] = Math.round(data[k] * alpha + 255 * (1 - alpha));
  }
  return image;
}

/** Coordinates of the image as given from those of one that arrived shrunk, and back. @param {number} scale */
function coordinates(scale) {
  const out = (/** @type {number} */ v) => (scale === 1 ? v : (v + 0.5) * scale - 0.5);
  const inward = (/** @type {number} */ v) => (scale === 1 ? v : (v + 0.5) / scale - 0.5);
  const points = (/** @type {import("./skeleton.js").Point[]} */ all) => all.map(([x, y]) => [out(x), out(y)]);
  const view = (/** @type {View} */ { box, angle }) => ({ box: box.map(out), angle });
  const found = (/** @type {import("./pipeline.js").Found} */ one) =>
    one && { ...one, keypoints: points(one.keypoints), view: view(one.view) };
  return { out, inward, points, view, found };
}

/** Where to cut: a box or a view of the image as given. @param {Box | View} place @param {number | undefined} angle
 * @param {import("./resize.js").Pixels} image @param {number} scale @returns {View} */
function viewOf(place, angle, image, scale) {
  const known = /** @type {View} */ (place), given = Array.isArray(place) || !place ? place : known.box;
  const turn = angle ?? (Array.isArray(place) || !place ? 0 : known.angle ?? 0);
  if (!Number.isFinite(turn)) throw new Error(`angle ${turn} is not a finite number of radians`);
  const { inward } = coordinates(scale);
  return { box: check_box(Array.from(/** @type {Box} */ (given) ?? [], (v) => inward(Number(v))), image.width, image.height), angle: turn };
}

/** A crop as it is sent. @param {{image: import("./resize.js").Pixels, matrix: Matrix}} crop @param {View} view @param {number} scale */
function cropSent({ image, matrix: [[a, b, c], [d, e, f]] }, view, scale) {
  // A point of the image as given, (v + 0.5) / scale - 0.5, goes through the matrix.
  const shift = 0.5 / scale - 0.5;
  const matrix = [[a / scale, b / scale, c + (a + b) * shift], [d / scale, e / scale, f + (d + e) * shift]];
  const pixels = new ImageData(/** @type {any} */ (image.data), image.width, image.height);
  return { image: pixels, size: image.width, matrix, inverse: invert(matrix), view: coordinates(scale).view(view) };
}

/** One crop through one network. @param {Sent} sent @param {Box | View} place
 * @param {Pass & {angle?: number, attention?: boolean}} how */
async function passed(sent, place, { angle, ...pass }) {
  const { image, scale } = pixelsOf(sent), view = viewOf(place, angle, image, scale), start = performance.now();
  check_image(image);
  const seen = await hp.look(image, view, pass), { points } = coordinates(scale);
  const stages = seen.stages.map((stage) => ({
    maps: stage.logits.map(sigmoid), keypoints: points(stage.keypoints), scores: stage.scores,
  }));
  const ms = { total: performance.now() - start };
  return { stages, weights: seen.weights, cells: seen.cells, crop: cropSent(seen.crop, view, scale), ms };
}

const calls = {
  /** @param {{parts: Record<string, import("./parts.js").Part>, manifest: import("./networks.js").Manifest}} all */
  async init({ parts, manifest }) {
    const started = performance.now(), wasm = await bytesOf(parts.wasm), loaded = performance.now();
    const { ort } = /** @type {any} */ (self); // behind this script, in the same file
    ort.env.wasm.wasmBinary = wasm;
    ort.env.wasm.numThreads = 1; // more need cross-origin isolation, which a folder does not have
    nets = new Networks(ort, manifest);
    hp = new HandPose(nets, new Confidence(manifest.confidence));
    await nets.add("gesture", await bytesOf(parts.gesture)); // the smallest: its start is that of the runtime
    ort.env.wasm.wasmBinary = undefined; // it is compiled
    const compiled = performance.now();
    await nets.add("detector", await bytesOf(parts.detector));
    await nets.add(manifest.pose, await bytesOf(parts[manifest.pose]));
    const ended = performance.now();
    return { load: loaded - started, compile: compiled - loaded, networks: ended - compiled };
  },

  /** @param {{name: string, part: import("./parts.js").Part}} more */
  async add({ name, part }) {
    if (name === "usual") usual = new Float32Array((await bytesOf(part)).buffer);
    else await nets.add(name, await bytesOf(part));
  },

  /** @param {{id: number, image: Sent}} given */
  open({ id, image }) {
    const found = pixelsOf(image);
    check_image(found.image);
    opened.set(id, found);
  },

  /** @param {{id: number}} given */
  close({ id }) {
    opened.delete(id);
  },

  /** @param {{image: Sent, how: any}} given */
  async predict({ image: sent, how: { boxes, ...how } }) {
    const start = performance.now(), { image, scale } = pixelsOf(sent), decoded = performance.now();
    const { inward } = coordinates(scale);
    const inside = scale === 1 ? boxes : boxes?.map((/** @type {Box} */ box) => Array.from(box ?? [], inward));
    const hands = await hp.find(image, { boxes: inside, ...how }), end = performance.now();
    return {
      hands: hands.map((hand) => handSent(hand, scale)),
      ms: { decode: decoded - start, ...hp.ms, total: end - start },
    };
  },

  /** @param {{image: Sent, how: {threshold?: number}}} given */
  async detect({ image: sent, how: { threshold = THRESHOLD } }) {
    const start = performance.now(), { image, scale } = pixelsOf(sent), { out } = coordinates(scale);
    check_image(image);
    const fired = await detector.fired(nets.detect.bind(nets), image, check_threshold(threshold));
    const found = detector.suppressed(fired).map(({ box, score }) => ({ box: box.map(out), score }));
    const moved = fired.map(({ box, anchor, score }) => ({ box: box.map(out), anchor: anchor.map(out), score }));
    return { found, fired: moved.sort((a, b) => b.score - a.score), ms: { total: performance.now() - start } };
  },

  /** @param {{image: Sent, box: Box | View, how: {angle?: number, size?: number}}} given */
  crop({ image: sent, box, how: { angle, size = nets.about().size } }) {
    if (!(Number.isInteger(size) && size >= 8 && size <= 2048)) throw new Error(`size ${size}: whole pixels from 8 to 2048 are needed`);
    const { image, scale } = pixelsOf(sent), view = viewOf(box, angle, image, scale);
    return cropSent(crop_box(image, view.box, size, view.angle), view, scale);
  },

  /** @param {{image: Sent, box: Box | View, how: Pass & {angle?: number}}} given */
  async scoremaps({ image, box, how: { network, silence, angle } }) {
    const { weights: _, ...found } = await passed(image, box, { network, silence, angle });
    return found;
  },

  /** @param {{image: Sent, box: Box | View, how: Pass & {angle?: number, row?: number, head?: number}}} given */
  async attention({ image, box, how: { network, silence, angle, row, head } }) {
    const { heads, cells, name } = nets.about(network), total = cells * cells;
    const check = (/** @type {string} */ what, /** @type {number | undefined} */ value, /** @type {number} */ end) => {
      if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value < end))
        throw new Error(`there is no ${what} ${value}; they are 0 to ${end - 1}`);
    };
    if (heads) check("head", head, heads);
    check("row", row, total);
    const { stages, weights, crop, ms } = await passed(image, box, { network, silence, angle, attention: true });
    const chosenHeads = head === undefined ? [...Array(heads).keys()] : [head], rows = row === undefined ? total : 1;
    const taken = (/** @type {Float32Array} */ all) => {
      const out = new Float32Array(chosenHeads.length * rows * total);
      chosenHeads.forEach((h, i) => {
        const start = (h * total + (row ?? 0)) * total;
        out.set(all.subarray(start, start + rows * total), i * rows * total);
      });
      return out;
    };
    const last = stages[stages.length - 1], own = name === nets.manifest.pose;
    return {
      weights: taken(weights), usual: own ? taken(usual) : null, shape: [chosenHeads.length, rows, total], cells, crop,
      keypoints: last.keypoints, scores: last.scores, ms,
    };
  },

  /** @param {{keypoints: import("./skeleton.js").Point[]}} given */
  gesture({ keypoints }) {
    if (!Array.isArray(keypoints) || keypoints.length !== 21) throw new Error("keypoints must be 21 points [x, y]");
    return hp.letters(keypoints);
  },

  /** @param {{id: number, threshold?: number}} given */
  track({ id, threshold = THRESHOLD }) {
    trackers.set(id, new Tracker(hp, check_threshold(threshold)));
  },

  /** @param {{id: number}} given */
  untrack({ id }) {
    trackers.delete(id);
  },

  /** @param {{id: number, image: Sent}} given */
  async next({ id, image: sent }) {
    if (!trackers.has(id)) throw new Error("this tracker was closed; ask for another");
    const start = performance.now(), { image, scale } = pixelsOf(sent), tracker = trackers.get(id);
    check_image(image);
    const hands = await tracker.next(image);
    return {
      hands: hands.map((/** @type {import("./pipeline.js").Hand} */ hand) => handSent(hand, scale)),
      numbers: tracker.numbers, looked: tracker.looked, ms: { total: performance.now() - start },
    };
  },
};

/** @param {import("./pipeline.js").Hand} hand @param {number} scale */
function handSent(hand, scale) {
  const { found, out } = coordinates(scale);
  return { ...found(hand), box: hand.box.map(out), first: found(hand.first) };
}

/** The buffers in an answer, which change hands instead of being copied. @param {any} value @param {ArrayBuffer[]} all */
function buffers(value, all = []) {
  if (value instanceof ImageData) all.push(value.data.buffer);
  else if (ArrayBuffer.isView(value)) all.push(value.buffer);
  else if (value && typeof value === "object") for (const one of Object.values(value)) buffers(one, all);
  return all;
}

let last = Promise.resolve();
onmessage = ({ data: { id, call, given } }) => {
  last = last.then(async () => {
    try {
      const result = await calls[call](given);
      postMessage({ id, result }, { transfer: [...new Set(buffers(result))] });
    } catch (error) {
      postMessage({ id, error: String(error?.message ?? error).split("\n")[0] });
    }
  });
};
