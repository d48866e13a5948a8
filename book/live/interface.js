// `window.handposeLive`: what pages and readers call. It sends images and questions to the worker.

import { BONES, JOINTS } from "./skeleton.js";
import { bytesOf, partOf } from "./parts.js";
import { prepared } from "./pictures.js";

/** @typedef {import("./skeleton.js").Box} Box */
/** @typedef {import("./crop.js").View} View */

const STARTED = ["bundle", "wasm", "gesture", "detector"]; // and the pose network
const folder = new URL(".", /** @type {HTMLScriptElement} */ (document.currentScript).src).href;
/** A program of one function that uses SIMD, as onnxruntime-web itself tries it. */
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 30, 1, 28, 0, 65, 0, 253, 15, 253, 12, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 253, 186, 1, 26, 11]; // prettier-ignore

let state = "idle", count = 0;
/** @type {Promise<any> | null} */
let starting = null;
/** @type {Worker | null} */
let worker = null;
/** @type {any} */
let about = null;
const waiting = new Map(), further = new Map(), opened = new WeakMap();
/** What the book's build writes before the modules.
 * @type {import("./networks.js").Manifest & {sizes: Record<string, number>, handpose: string}} */
const manifest = MANIFEST;

/** @returns {string | null} */
function obstacle() {
  const missing = {
    "WebAssembly": typeof WebAssembly === "object", "web workers": typeof Worker === "function",
    "OffscreenCanvas": typeof OffscreenCanvas === "function", "DecompressionStream": typeof DecompressionStream === "function",
    "createImageBitmap": typeof createImageBitmap === "function",
  }; // prettier-ignore
  const advice = "a browser from 2023 or later can (Chrome, Edge, Firefox, Safari)";
  for (const [what, there] of Object.entries(missing))
    if (!there) return `this browser lacks ${what}, so the networks cannot run in it; ${advice}`;
  if (!WebAssembly.validate(new Uint8Array(SIMD)))
    return `this browser, or a setting of it, lacks SIMD in WebAssembly, so the networks cannot run in it; ${advice}`;
  return null;
}

/** Ask the worker. @param {string} call @param {any} [given] @param {Transferable[]} [transfer] @returns {Promise<any>} */
function ask(call, given = {}, transfer = []) {
  const id = ++count;
  return new Promise((resolve, reject) => {
    if (!worker) {
      reject(new Error("the networks were stopped"));
      return;
    }
    try {
      worker.postMessage({ id, call, given }, transfer);
    } catch (error) {
      const advice = "the image comes from another place, so the browser does not show its pixels; use a data: or blob: address";
      reject(error?.name === "DataCloneError" && transfer.length ? new Error(advice) : error);
      return;
    }
    waiting.set(id, { resolve, reject });
  });
}

/** End what is running. @param {string} [why] */
function end(why = "the networks were stopped") {
  worker?.terminate();
  worker = null;
  for (const { reject } of waiting.values()) reject(new Error(why));
  waiting.clear();
  further.clear();
  starting = about = null;
}

/** @param {{progress?: (part: string, done: number, of: number) => void}} how */
async function begin({ progress = () => {} }) {
  const trouble = obstacle();
  if (trouble) throw new Error(trouble);
  const started = performance.now(), names = ["worker", ...STARTED, manifest.pose];
  const of = names.reduce((sum, name) => sum + manifest.sizes[name], 0);
  let done = 0;
  const loaded = await Promise.all(names.map(async (name) => {
    const part = await partOf(folder, name);
    done += manifest.sizes[name];
    progress(name, done, of);
    return /** @type {const} */ ([name, part]);
  })); // prettier-ignore
  const parts = Object.fromEntries(loaded);
  const script = await Promise.all([bytesOf(parts.worker), bytesOf(parts.bundle)]); // one: WebKit imports nothing from a folder
  const address = URL.createObjectURL(new Blob(script, { type: "text/javascript" }));
  delete parts.worker;
  delete parts.bundle;
  worker = new Worker(address);
  worker.onmessage = ({ data: { id, result, error } }) => {
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error === undefined) resolve?.(result);
    else reject?.(new Error(error));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    state = "failed";
    end(`the networks stopped (${event.message || "the browser ended them, perhaps for lack of memory"}); start them again`);
  };
  const reading = performance.now() - started, ms = await ask("init", { parts, manifest });
  URL.revokeObjectURL(address);
  return { load: ms.load + reading, compile: ms.compile, networks: ms.networks, total: performance.now() - started };
}

/** Start everything once. @param {{progress?: (part: string, done: number, of: number) => void}} [how] */
function start(how = {}) {
  if (starting) return starting;
  state = "starting";
  const mine = begin(how).then(
    (ms) => {
      if (starting !== mine) throw new Error("the networks were stopped while they started");
      const { size, cells } = named(), { networks, labels, blocks } = manifest;
      about = { pose: named(), networks, labels, blocks, joints: JOINTS, bones: BONES, size, cells, threshold: 0.5, ms };
      state = "ready";
      return about;
    },
    (error) => {
      if (starting === mine) {
        end(error.message);
        state = "failed";
      }
      throw error;
    },
  );
  starting = mine;
  return mine;
}

function stop() {
  end();
  state = "idle";
}

/** @param {string} [name] */
function named(name = manifest.pose) {
  const found = manifest.networks.find((one) => one.name === name);
  if (!found) throw new Error(`there is no network ${name}; there are ${manifest.networks.map((one) => one.name).join(", ")}`);
  return found;
}

/** A part that is only loaded when it is needed. @param {string} name */
function need(name) {
  if (!further.has(name)) {
    const loading = partOf(folder, name).then((part) => ask("add", { name, part }));
    further.set(name, loading);
    loading.catch(() => further.delete(name)); // the next call tries again
  }
  return further.get(name);
}

/** Start if need be, and send an image with a question.
 * @param {string} call @param {any} image @param {any} given @param {string} [network] */
async function about_image(call, image, given, network) {
  await start();
  if (network !== undefined && named(network).name !== manifest.pose) await need(network);
  const known = image && opened.get(image);
  if (known) return { ...(await ask(call, { ...given, image: { opened: known.id } })), width: image.width, height: image.height };
  const { sent, transfer, width, height } = await prepared(image);
  return { ...(await ask(call, { ...given, image: sent }, transfer)), width, height };
}

/** Distances between two sets of key-points. @param {[number, number][]} a @param {[number, number][]} b */
function apart(a, b) {
  return a.map(([x, y], i) => Math.hypot(b[i][0] - x, b[i][1] - y));
}

window.handposeLive = {
  version: manifest.handpose,
  runtime: manifest.runtime,
  get state() {
    return state;
  },
  get ready() {
    return state === "ready";
  },
  get about() {
    return about;
  },
  obstacle,
  start,
  stop,

  async open(image) {
    await start();
    const { sent, transfer, width, height } = await prepared(image), id = ++count;
    await ask("open", { id, image: sent }, transfer);
    const close = () => {
      if (opened.delete(handle) && worker) ask("close", { id }).catch(() => {});
    };
    const handle = { width, height, scale: sent.scale, close };
    opened.set(handle, { id });
    return handle;
  },

  predict: (image, how = {}) => about_image("predict", image, { how }, how.network),
  detect: (image, how = {}) => about_image("detect", image, { how }),
  crop: (image, box, how = {}) => about_image("crop", image, { box, how }),
  scoremaps: (image, box, how = {}) => about_image("scoremaps", image, { box, how }, how.network),

  async attention(image, box, how = {}) {
    await start();
    await need("usual");
    return about_image("attention", image, { box, how }, how.network);
  },

  async silence(image, box, heads, how = {}) {
    const handle = opened.has(image) ? image : await this.open(image);
    try {
      const before = await this.scoremaps(handle, box, { ...how, silence: [] });
      const after = await this.scoremaps(handle, box, { ...how, silence: heads });
      const [a, b] = [before, after].map(({ stages }) => ({ ...stages[stages.length - 1], stages }));
      return { before: a, after: b, moved: apart(a.keypoints, b.keypoints) };
    } finally {
      if (handle !== image) handle.close();
    }
  },

  async swap(image, box, names = manifest.networks.map((one) => one.name), how = {}) {
    const handle = opened.has(image) ? image : await this.open(image), all = [];
    try {
      for (const network of names) {
        const { stages, crop, cells, ms } = await this.scoremaps(handle, box, { angle: how.angle, network });
        const { keypoints, scores } = stages[stages.length - 1];
        all.push({ network, keypoints, scores, stages, cells, crop, ms });
      }
      return all;
    } finally {
      if (handle !== image) handle.close();
    }
  },

  async gesture(keypoints) {
    await start();
    return ask("gesture", { keypoints });
  },

  tracker({ threshold } = {}) {
    const id = ++count;
    let closed = false;
    /** @type {Promise<void> | null} */
    let begun = null;
    return {
      async next(frame) {
        if (closed) throw new Error("this tracker was closed; ask for another");
        await start();
        await (begun ??= ask("track", { id, threshold }));
        return about_image("next", frame, { id });
      },
      close() {
        closed = true;
        if (begun && worker) ask("untrack", { id }).catch(() => {});
      },
    };
  },
};
