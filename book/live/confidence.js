// How likely a detected hand is one, by detector and key-points: handpose/confidence.py.

import { sigmoid } from "./scoremap.js";

/** The fitted numbers, as in handpose/weights/confidence.json.
 * @typedef {{bias: number, detector: number, keypoints: number, usual: number, alone: [number, number]}} Fitted */

/** @param {number} probability */
function logit(probability) {
  return Math.log(probability) - Math.log1p(-probability);
}

export class Confidence {
  /** @param {Fitted} fitted */
  constructor(fitted) {
    this.fitted = fitted;
  }

  /** @param {number} detected @param {number} meanScore  of the 21 key-points */
  of(detected, meanScore) {
    const { bias, detector, keypoints } = this.fitted;
    return sigmoid(bias + detector * logit(detected) + keypoints * meanScore);
  }

  /** The same of followed hands, without a detector. @param {number} meanScore */
  of_keypoints(meanScore) {
    return sigmoid(this.fitted.alone[0] + this.fitted.alone[1] * meanScore);
  }

  /** The detector's confidence below which a hand's usual key-points leave it under the threshold.
   * @param {number} threshold */
  floor(threshold) {
    const { bias, detector, keypoints, usual } = this.fitted;
    return sigmoid((logit(threshold) - bias - keypoints * usual) / detector);
  }
}
