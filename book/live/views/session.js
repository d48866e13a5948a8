// What the page knows: one picture, one of its hands, what was taken away, and what the networks say of it.
// Views listen, and ask for changes; nothing here touches the page.

import { SIDE } from "./drawing.js";
import { painted } from "./cover.js";

/** @typedef {{source: HTMLCanvasElement|HTMLImageElement, width: number, height: number, title: string, truth?: [number, number][]}} Chosen */

/** Boxes down to this confidence are asked for once; the slider then only hides some. */
export const LEAST = 0.05;

export class Session {
  /** @param {any} live  window.handposeLive */
  constructor(live) {
    this.live = live;
    this.state = {
      picture: null, handle: null, boxes: null, threshold: 0.5, hands: [], chosen: 0, // the picture and its hands
      silenced: /** @type {number[]} */ ([]), strokes: /** @type {any[]} */ ([]), // what was taken away
      before: null, now: null, swapped: null, // what the networks say
      joint: 8, cell: null, stage: -1, busy: false, error: null, note: null,
    }; // prettier-ignore
    this.wants = { attention: false, swap: false, letter: false };
    /** @type {Set<(state: any, changed: Set<string>) => void>} */
    this.listeners = new Set();
    this.pictures = this.looks = 0;
  }

  /** @param {(state: any, changed: Set<string>) => void} listener */
  on(listener) {
    this.listeners.add(listener);
    listener(this.state, new Set(Object.keys(this.state)));
  }

  /** @param {Record<string, any>} changes */
  set(changes) {
    Object.assign(this.state, changes);
    const changed = new Set(Object.keys(changes));
    for (const listener of this.listeners) listener(this.state, changed);
  }

  /** Do something that may fail: its error becomes a line on the page. @param {() => Promise<any>} work */
  async trying(work) {
    try {
      await work();
    } catch (error) {
      this.set({ error: error.message, busy: false });
    }
  }

  /** Look at another picture. @param {Chosen} picture @param {string | null} [note] */
  choose(picture, note = null) {
    return this.trying(async () => {
      const turn = ++this.pictures;
      this.looks++;
      this.state.handle?.close();
      this.set({ picture, handle: null, boxes: null, hands: [], before: null, now: null, swapped: null, cell: null,
        silenced: [], strokes: [], busy: true, error: null, note }); // prettier-ignore
      const handle = await this.live.open(picture.source);
      if (turn !== this.pictures) return handle.close();
      this.state.handle = handle;
      const { found, fired } = await this.live.detect(handle, { threshold: LEAST });
      if (turn === this.pictures) this.set({ boxes: { found, fired } });
      await this.find();
    });
  }

  /** The hands at the threshold that is set. */
  find() {
    return this.trying(async () => {
      const { handle, threshold } = this.state, turn = this.pictures;
      if (!handle) return;
      const { hands, ms } = await this.live.predict(handle, { threshold });
      if (turn !== this.pictures || threshold !== this.state.threshold) return;
      this.set({ hands, chosen: 0, ms });
      if (hands.length) await this.pick(0);
      else this.set({ busy: false, before: null, now: null, swapped: null });
    });
  }

  /** Take the whole picture for the hand: where none is found. */
  whole() {
    return this.trying(async () => {
      const { handle, picture } = this.state;
      const { hands } = await this.live.predict(handle, { boxes: [[0, 0, picture.width, picture.height]] });
      this.set({ hands });
      await this.pick(0);
    });
  }

  /** Go on with one of the hands. @param {number} chosen */
  async pick(chosen) {
    this.set({ chosen, strokes: [], silenced: [], before: null, now: null, swapped: null, cell: null });
    await this.look();
  }

  get hand() {
    return this.state.hands[this.state.chosen] ?? null;
  }

  /** Take away heads, or parts of the picture, or give them back. @param {{silenced?: number[], strokes?: any[]}} changes */
  take(changes) {
    this.set(changes);
    return this.look();
  }

  /** Look at the hand's crop, with what was taken away. */
  look() {
    return this.trying(async () => {
      const turn = ++this.looks, { hand, live } = this, { handle, picture, silenced, strokes, before } = this.state;
      if (!hand || !handle) return;
      this.set({ busy: true, error: null });
      const stale = () => turn !== this.looks;
      const clean = before ?? (await this.seen(handle, hand.view, []));
      if (stale()) return;
      let now = clean;
      if (silenced.length || strokes.length) {
        const other = strokes.length ? await live.open(painted(picture, strokes, clean.crop)) : handle;
        try {
          now = await this.seen(other, hand.view, silenced);
        } finally {
          if (other !== handle) other.close();
        }
      }
      if (stale()) return;
      this.set({ before: clean, now, busy: false });
      if (this.wants.swap && !this.state.swapped && live.about.blocks) {
        const swapped = await live.swap(handle, hand.view, live.about.blocks.names);
        if (!stale()) this.set({ swapped });
      }
    });
  }

  /** Everything that views show of one crop. @param {any} image @param {any} view @param {number[]} silence */
  async seen(image, view, silence) {
    const { live, wants } = this;
    const crop = await live.crop(image, view, { size: SIDE });
    const { stages, cells, crop: { size } } = await live.scoremaps(image, view, { silence }); // prettier-ignore
    const reads = wants.attention && live.about.pose.heads ? await live.attention(image, view) : null;
    const { keypoints, scores } = stages[stages.length - 1];
    const letters = wants.letter ? await live.gesture(keypoints) : null;
    return { crop, stages, cells, size, keypoints, scores, letters, reads };
  }
}
