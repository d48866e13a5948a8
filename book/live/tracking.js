// Following hands from frame to frame: handpose/apply/tracking.py.

import { upright_box } from "./crop.js";
import { iou } from "./detector.js";
import { mean } from "./pipeline.js";
import { tight_box } from "./skeleton.js";

/** @typedef {import("./skeleton.js").Box} Box */
/** @typedef {import("./crop.js").View} View */
/** @typedef {import("./pipeline.js").Hand} Hand */
/** @typedef {import("./resize.js").Pixels} Pixels */
/** One hand: its number, the hand of the last frame, the box it was found with, the mean score when the detector last saw
 * it, and looks that passed it over. @typedef {{number: number, hand: Hand, cut: Box, sure: number, unseen: number}} Track */

const EVERY = 10, CLOSER = 5, LEAST = 0.2, KEEP = 0.75, MARGIN = 1.05, STEADY = 0.7;
const SAME_PLACE = 0.3, SAME_HAND = 0.5, PATIENCE = 3, SMALLEST = 8;

/** @param {Box} box @returns {Box} */
function grown([x0, y0, x1, y1]) {
  const x = (x0 + x1) / 2, y = (y0 + y1) / 2, across = ((x1 - x0) / 2) * MARGIN, down = ((y1 - y0) / 2) * MARGIN;
  return [x - across, y - down, x + across, y + down];
}

/** @param {Box} box */
function centreAndSide([x0, y0, x1, y1]) {
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, side: Math.max(x1 - x0, y1 - y0) };
}

/** @param {Track} track */
function place(track) {
  return tight_box(track.hand.keypoints);
}

/** Where to look for a track's hand in the next frame. @param {Track} track @returns {View} */
function nextView(track) {
  const { box, angle } = upright_box(track.hand.keypoints), next = grown(box);
  return { box: /** @type {Box} */ (track.cut.map((v, k) => STEADY * v + (1 - STEADY) * next[k])), angle };
}

/** @param {Hand} hand */
function firstCut(hand) {
  return grown(upright_box(hand.keypoints, hand.box).box);
}

export class Tracker {
  /** @param {import("./pipeline.js").HandPose} hp @param {number} threshold */
  constructor(hp, threshold) {
    this.hp = hp;
    this.threshold = threshold;
    this.tracks = /** @type {Track[]} */ ([]);
    this.count = 0;
    this.age = 0;
    this.looked = false;
    this.sinceCloser = CLOSER;
  }

  get numbers() {
    return this.tracks.map((track) => track.number);
  }

  /** The hands of the next frame; those that were there first come first. @param {Pixels} image @returns {Promise<Hand[]>} */
  async next(image) {
    this.looked = false;
    this.age += 1;
    this.sinceCloser += 1;
    const due = this.age >= EVERY, lost = due ? [] : await this.follow(image);
    if (due || lost.length || !this.tracks.length) await this.look(image, lost, !due);
    const kept = /** @type {Track[]} */ ([]);
    for (const track of this.tracks.sort((a, b) => a.number - b.number))
      if (kept.every((other) => iou(place(track), place(other)) < SAME_HAND)) kept.push(track);
    this.tracks = kept;
    return kept.map((track) => track.hand);
  }

  /** Move all tracks on by a frame; those that may be lost are taken out and returned. @param {Pixels} image */
  async follow(image) {
    const before = this.tracks, lost = /** @type {Track[]} */ ([]);
    const within = (/** @type {{x: number, y: number}} */ { x, y }) => x > 0 && y > 0 && x < image.width && y < image.height;
    const followed = before.filter((track) => within(centreAndSide(nextView(track).box)));
    lost.push(...before.filter((track) => !followed.includes(track)));
    this.tracks = [];
    if (!followed.length) return lost;
    const views = followed.map(nextView);
    const found = await this.hp.find(image, { boxes: views.map((v) => v.box), angles: views.map((v) => v.angle) });
    followed.forEach((old, i) => {
      const track = { number: old.number, hand: found[i], cut: views[i].box, sure: old.sure, unseen: old.unseen };
      track.hand = { ...found[i], box: place(track), score: old.hand.score };
      const now = centreAndSide(place(track)), then = centreAndSide(place(old));
      const jump = Math.max(Math.abs(now.x - then.x), Math.abs(now.y - then.y));
      const score = mean(track.hand.scores);
      const fine = (score >= KEEP * old.sure || this.hp.confidence.of_keypoints(score) >= LEAST) && within(now) && jump < then.side / 2
        && Math.max(then.side / 2, SMALLEST) < now.side && now.side < 2 * then.side;
      (fine ? this.tracks : lost).push(track);
    });
    return lost;
  }

  /** Let the detector look: tracks start anew from what it finds, others begin, and lost ones end. Where the tracks have
   * not been moved on to this frame, those alone are that it passes over.
   * @param {Pixels} image @param {Track[]} lost @param {boolean} moved */
  async look(image, lost, moved) {
    this.looked = true;
    this.age = 0;
    const followed = [...this.tracks], known = [...this.tracks, ...lost], closer = this.sinceCloser >= CLOSER;
    this.tracks = [];
    if (closer) this.sinceCloser = 0;
    for (const hand of await this.hp.find(image, { threshold: this.threshold, tiles: closer })) {
      const extent = tight_box(hand.keypoints);
      const shared = known.map((track) => Math.max(iou(place(track), hand.box), iou(place(track), extent)));
      const most = shared.indexOf(Math.max(...shared));
      if (shared.length && shared[most] > SAME_PLACE) {
        const [old] = known.splice(most, 1);
        const sure = Math.min(mean(hand.scores), mean(old.hand.scores)); // so low, and still a hand
        this.tracks.push({ number: old.number, hand, cut: firstCut(hand), sure, unseen: Math.min(old.unseen, 0) });
      } else this.tracks.push({ number: ++this.count, hand, cut: firstCut(hand), sure: mean(hand.scores), unseen: 0 });
    }
    const seen = this.tracks;
    this.tracks = followed.filter((track) => known.includes(track));
    if (!moved) await this.follow(image);
    for (const track of this.tracks) if (track.unseen + 1 < PATIENCE) seen.push({ ...track, unseen: track.unseen + 1 });
    this.tracks = seen;
  }
}
