// Attention: click a cell or a joint, and see what each of the eight heads reads for it.

import { legend, percent } from "./colours.js";
import { SIDE, drawCells, drawCrop, drawFrame, drawHand, inside, square } from "./drawing.js";
import { choice, h, step } from "./element.js";
import { removed } from "./removed.js";
import { cellAt, cellName, jointName, nearest, shortName } from "./words.js";

/** @param {import("./session.js").Session} session */
export function attention(session) {
  session.wants.attention = true;
  const pad = square("", { class: "hl-large hl-click", role: "application", tabindex: 0, "aria-roledescription": "grid of cells" });
  const joints = h("select", { "aria-label": "Ask from a joint", onchange: () => joints.value && session.set({ joint: Number(joints.value), cell: null }) },
    h("option", { value: "" }, "a cell of your own"), ...Array.from({ length: 21 }, (_, joint) => h("option", { value: joint }, jointName(joint)))); // prettier-ignore
  const says = h("p", { class: "hl-says", role: "status" }), heads = h("div", { class: "hl-heads" });
  let corrected = false;
  /** @type {number | null} */
  let hovered = null;
  const plain = legend("sequential", "share of what the cell reads"), less = legend("diverging", "less or more than its mean over 64 rendered hands");
  const scales = h("div", {}, plain.element, less.element);
  const kind = choice("What is shown", [[false, "what it reads"], [true, "minus its mean"]], false, (/** @type {boolean} */ value) => {
    corrected = value;
    draw(session.state);
  }); // prettier-ignore
  const banner = removed(session);
  const element = step("Attention", "Each cell asks all others, once for every head. Click a cell, or choose a joint: bright is where a head reads for it. A head reads much the same at any hand; minus its mean, you see what this hand changes.",
    banner.element, h("div", { class: "hl-two hl-asks" }, h("div", {}, pad, h("label", { class: "hl-small" }, "The asking cell is at ", joints)), h("div", {}, h("div", { class: "hl-row" }, kind), heads, scales)), says); // prettier-ignore
  /** @type {{canvas: any, words: any, element: any}[]} */
  let tiles = [];

  /** The asking cell. @param {any} state */
  function asking({ now, joint, cell }) {
    return hovered ?? cell ?? cellAt(inside(now.crop, now.keypoints)[joint], SIDE, now.cells);
  }

  /** @param {MouseEvent} event */
  function under(event) {
    const { left, top, width } = pad.getBoundingClientRect();
    return cellAt([((event.clientX - left) / width) * SIDE - 0.5, ((event.clientY - top) / width) * SIDE - 0.5], SIDE, session.state.now.cells);
  }
  pad.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (event.pointerType !== "mouse" || !session.state.now) return;
    hovered = under(event);
    draw(session.state);
  });
  pad.addEventListener("pointerleave", () => {
    hovered = null;
    if (session.state.now) draw(session.state);
  });
  pad.addEventListener("click", (/** @type {MouseEvent} */ event) => session.state.now && session.set({ cell: under(event) }));
  pad.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const { now } = session.state, by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by || !now) return;
    event.preventDefault();
    hovered = null;
    const at = asking(session.state), clip = (/** @type {number} */ v) => Math.min(Math.max(v, 0), now.cells - 1);
    session.set({ cell: clip(Math.floor(at / now.cells) + by[1]) * now.cells + clip((at % now.cells) + by[0]) });
  });

  /** @param {number} count */
  function prepare(count) {
    tiles = Array.from({ length: count }, (_, head) => {
      const canvas = h("canvas", { width: 192, height: 192, role: "img", "aria-label": `Head ${head + 1}` }), words = h("figcaption");
      return { canvas, words, element: h("figure", {}, canvas, words) };
    });
    heads.replaceChildren(...tiles.map((tile) => tile.element));
  }

  /** @param {any} state */
  function draw(state) {
    const { now, silenced } = state, { crop, cells, reads, keypoints } = now, cell = asking(state), area = cells * cells;
    if (!reads) return;
    const { weights, usual, shape: [count] } = reads, points = inside(crop, keypoints); // prettier-ignore
    if (tiles.length !== count) prepare(count);
    const context = pad.getContext("2d");
    drawCrop(context, crop);
    drawHand(context, points, { width: 3 });
    drawFrame(context, cell, cells);
    const rows = tiles.map((_, head) => {
      const start = (head * area + cell) * area, row = weights.subarray(start, start + area);
      return corrected ? row.map((/** @type {number} */ value, /** @type {number} */ i) => value - usual[start + i]) : row;
    });
    // One scale for all heads, which a few strong cells may exceed.
    const top = tall(rows.flatMap((row) => [...row.map(Math.abs)]));
    const best = rows.map((row) => row.indexOf(Math.max(...row)));
    tiles.forEach(({ canvas, words, element }, head) => {
      const small = canvas.getContext("2d"), silent = silenced.includes(head), joint = nearest(best[head], points, SIDE, cells);
      drawCrop(small, crop, 0.45);
      drawCells(small, rows[head], corrected ? "diverging" : "sequential", top);
      drawFrame(small, cell, cells);
      element.classList.toggle("hl-silent", silent);
      const most = `${corrected ? "+" : ""}${percent(rows[head][best[head]])}`;
      words.replaceChildren(h("b", {}, `Head ${head + 1}`), silent ? " silenced" : "", h("br"), `${most} ${joint === null ? "off the hand" : shortName(joint)}`);
    });
    plain.element.hidden = corrected;
    less.element.hidden = !corrected;
    (corrected ? less : plain).show(top, true);
    const near = nearest(cell, points, SIDE, cells), strongest = best.map((at, head) => rows[head][at]), head = strongest.indexOf(Math.max(...strongest));
    pad.setAttribute("aria-label", `The asking cell: ${cellName(cell, cells)}. Arrow keys move it.`);
    joints.value = state.cell === null && hovered === null ? String(state.joint) : "";
    if (hovered === null) {
      const at = nearest(best[head], points, SIDE, cells);
      says.textContent = `The cell in ${cellName(cell, cells)}${near === null ? "" : `, at the ${jointName(near)},`} asks. Head ${head + 1} reads most ${corrected ? "beyond its mean " : ""}from one cell: ${percent(strongest[head])}${corrected ? " more" : ""}, ${at === null ? "off the hand" : `near the ${jointName(at)}`}. Evenly spread, each cell would give ${percent(1 / area)}.`;
    }
  }

  return {
    element,
    /** @param {any} state @param {Set<string>} changed */
    update(state, changed) {
      element.classList.toggle("hl-waits", !state.now);
      banner.update(state, changed);
      if (state.now && ["now", "joint", "cell", "silenced"].some((key) => changed.has(key))) draw(state);
    },
  };
}

/** A number that only a few of them exceed. @param {number[]} values */
function tall(values) {
  const sorted = values.sort((a, b) => a - b);
  return Math.max(sorted[Math.floor(0.997 * (sorted.length - 1))], 1e-6);
}
