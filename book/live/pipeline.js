// A picture in, hands out: handpose/pipeline.py.

import { angle_of, apply, check_box, crop_box, invert, upright_box } from "./crop.js";
import { box_to_keypoint_extent, detect, nms } from "./detector.js";
import { normalise, read } from "./gesturenet.js";
import { decode, to_pixels } from "./scoremap.js";
import { tight_box } from "./skeleton.js";
import * as closer from "./tiles.js";

/** @typedef {import("./skeleton.js").Point} Point */
/** @typedef {import("./skeleton.js").Box} Box */
/** @typedef {import("./crop.js").View} View */
/** @typedef {import("./resize.js").Pixels} Pixels */
/** Which network and which of its heads are silenced. @typedef {{network?: string, silence?: number[]}} Pass */
/** Key-points of one pass, in the picture. @typedef {{keypoints: Point[], scores: number[], view: View}} Found */
/** @typedef {Found & {box: Box, score: number, gesture: [string, number] | null, first: Found | null}} Hand */

export const THRESHOLD = 0.5;
const SAME_HAND = 0.5, TURNED = (50 * Math.PI) / 180, UNSURE = 0.1, EQUAL = 0.005, SMALLEST = 8;

/** @param {number[]} values */
export function mean(values) {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** @param {number} threshold */
export function check_threshold(threshold) {
  if (typeof threshold !== "number" || !(threshold >= 0 && threshold <= 1))
    throw new Error(`threshold ${threshold}: a confidence lies between 0 and 1`);
  return threshold;
}

/** @param {Pixels} image */
export function check_image(image) {
  if (Math.min(image.width, image.height) < SMALLEST)
    throw new Error(`the picture has ${image.width}x${image.height} pixels; at least ${SMALLEST}x${SMALLEST} are needed`);
}

export class HandPose {
  /** @param {import("./networks.js").Networks} nets @param {import("./confidence.js").Confidence} confidence */
  constructor(nets, confidence) {
    this.nets = nets;
    this.confidence = confidence;
    this.ms = { detect: 0, pose: 0, gesture: 0 };
  }

  /** Hands, most confident first, or one for every given box, in their order.
   * @param {Pixels} image
   * @param {{boxes?: Box[], angles?: number[], threshold?: number, tiles?: boolean, refine?: boolean} & Pass} how
   * @returns {Promise<Hand[]>} */
  async find(image, { boxes, angles, threshold = THRESHOLD, tiles = true, refine = true, ...pass } = {}) {
    check_image(image);
    check_threshold(threshold);
    this.ms = { detect: 0, pose: 0, gesture: 0 };
    if (angles && !boxes) throw new Error("angles belong to boxes: give boxes as well");
    const hands = boxes
      ? await this.given(image, boxes, angles, refine, pass)
      : await this.detected(image, threshold, tiles, refine, pass);
    for (const hand of hands) hand.gesture = (await this.letters(hand.keypoints))[0] ?? null;
    return hands;
  }

  /** @param {Pixels} image @param {Box[]} boxes @param {number[] | undefined} angles @param {boolean} refine @param {Pass} pass */
  async given(image, boxes, angles, refine, pass) {
    if (!Array.isArray(boxes) || boxes.some((box) => typeof box === "number"))
      throw new Error("boxes is a list of boxes: write boxes: [[x0, y0, x1, y1]]");
    const checked = boxes.map((box) => check_box(box, image.width, image.height));
    if (angles && (angles.length !== boxes.length || !angles.every(Number.isFinite)))
      throw new Error(`angles ${angles}: as many finite numbers are needed as there are boxes, ${boxes.length}`);
    const hands = [];
    for (const [i, box] of checked.entries()) {
      const found = await this.estimate(image, { box, angle: angles ? angles[i] : 0 }, pass);
      hands.push(await this.hand(image, found, box, 1, refine && !angles, pass));
    }
    return hands;
  }

  /** @param {Pixels} image @param {number} threshold @param {boolean} tiles @param {boolean} refine @param {Pass} pass */
  async detected(image, threshold, tiles, refine, pass) {
    const floor = this.confidence.floor(threshold), net = this.nets.detect.bind(this.nets);
    const found = await this.timed("detect", () => detect(net, image, floor));
    const hands = await this.judged(image, found, threshold, refine, pass);
    if (hands.length || !tiles) return hands;
    const nearer = await this.timed("detect", () => closer.detect(net, image, floor));
    return this.judged(image, nearer, threshold, refine, pass);
  }

  /** Of detections those that are hands, with the key-points' word: each once, most confident first.
   * @param {Pixels} image @param {{box: Box, score: number}[]} found @param {number} threshold @param {boolean} refine
   * @param {Pass} pass */
  async judged(image, found, threshold, refine, pass) {
    const hands = [];
    for (const one of found) {
      const box = box_to_keypoint_extent(one.box);
      const hand = await this.hand(image, await this.estimate(image, { box, angle: 0 }, pass), box, 0, refine, pass);
      hand.score = this.confidence.of(one.score, mean(hand.scores));
      hands.push(hand);
    }
    const extents = hands.map((hand) => tight_box(hand.keypoints)), scores = hands.map((hand) => hand.score);
    return nms(extents, scores, SAME_HAND).filter((i) => scores[i] >= threshold).map((i) => hands[i]);
  }

  /** A hand from its first pass or, where a second pass on the upright hand is no less confident, from that.
   * @param {Pixels} image @param {Found} first @param {Box} box @param {number} score @param {boolean} refine
   * @param {Pass} pass @returns {Promise<Hand>} */
  async hand(image, first, box, score, refine, pass) {
    const hand = { ...first, box, score, gesture: null, first: /** @type {Found | null} */ (null) };
    const again = Math.abs(angle_of(first.keypoints)) > TURNED || mean(first.scores) < UNSURE;
    if (!refine || !again) return hand;
    const second = await this.estimate(image, upright_box(first.keypoints, box), pass);
    return mean(second.scores) > mean(first.scores) - EQUAL ? { ...hand, ...second, first } : hand;
  }

  /** The last stage's key-points from one crop. @param {Pixels} image @param {View} view @param {Pass} pass
   * @returns {Promise<Found>} */
  async estimate(image, view, pass) {
    const [last] = (await this.timed("pose", () => this.look(image, view, pass))).stages.slice(-1);
    return { keypoints: last.keypoints, scores: last.scores, view };
  }

  /** All that a pose network says of one crop.
   * @param {Pixels} image @param {View} view @param {Pass & {attention?: boolean}} pass */
  async look(image, view, { network, silence = [], attention = false }) {
    const { size, cells } = this.nets.about(network), crop = crop_box(image, view.box, size, view.angle);
    const { stages, weights } = await this.nets.pose(crop.image, { network, silence, attention });
    const back = invert(crop.matrix);
    const read = stages.map((logits) => {
      const { points, scores } = decode(logits, cells);
      return { logits, keypoints: apply(back, to_pixels(points)), scores };
    });
    return { stages: read, weights, crop, cells };
  }

  /** @param {Point[]} keypoints @returns {Promise<[string, number][]>} */
  async letters(keypoints) {
    const normalised = normalise(keypoints);
    if (!normalised) return [];
    return read(await this.timed("gesture", () => this.nets.gesture(normalised)), this.nets.labels);
  }

  /** @template T @param {"detect" | "pose" | "gesture"} what @param {() => Promise<T>} work @returns {Promise<T>} */
  async timed(what, work) {
    const start = performance.now(), result = await work();
    this.ms[what] += performance.now() - start;
    return result;
  }
}
