// Take something away: silence heads, cover a part of the picture, and see how far each key-point moves.

import { FINGERS, jointColour } from "./colours.js";
import { RADIUS } from "./cover.js";
import { SIDE, drawCrop, drawHand, inside, square } from "./drawing.js";
import { h, step } from "./element.js";
import { jointName } from "./words.js";

const MOST = 40; // bands

/** @param {import("./session.js").Session} session */
export function takeaway(session) {
  const pad = square("", { class: "hl-large hl-paint", role: "application", tabindex: 0, "aria-roledescription": "picture to paint over",
    "aria-label": "Paint over the hand. Arrow keys move the brush, Enter covers what is below it." }); // prettier-ignore
  const fingers = FINGERS.map((name, finger) => h("button", { type: "button", "aria-pressed": "false", "aria-label": `Cover the ${name} finger`.replace("thumb finger", "thumb"),
    style: `--joint: ${jointColour(4 * finger + 1)}`, class: "hl-finger", onclick: () => toggle(finger) }, name)); // prettier-ignore
  const heads = h("div", { class: "hl-switches", role: "group", "aria-label": "Heads. A pressed one is silenced." });
  const back = h("button", { type: "button", onclick: () => session.take({ silenced: [], strokes: [] }) }, "Give everything back");
  const says = h("p", { class: "hl-says hl-verdict", role: "status" }), table = h("div");
  const element = step("Take something away", "Cover a finger: where does the network put what it cannot see? Silence a head: who needed it? Dashed is before, coloured is after.",
    h("div", { class: "hl-two" },
      h("div", {}, pad, h("p", { class: "hl-small" }, "Or paint over the picture, with mouse or finger.")),
      h("div", {},
        h("p", { class: "hl-label" }, "Cover a finger"), h("div", { class: "hl-fingers", role: "group", "aria-label": "Cover a finger" }, ...fingers), says,
        h("p", { class: "hl-label" }, "Silence heads"), heads, h("div", { class: "hl-row" }, back))),
    table); // prettier-ignore

  /** @param {number} finger */
  function toggle(finger) {
    const { strokes, before } = session.state;
    if (!before) return;
    const others = strokes.filter((/** @type {any} */ one) => one.finger !== finger);
    const points = inside(before.crop, before.keypoints).slice(4 * finger + 1, 4 * finger + 5);
    session.take({ strokes: others.length < strokes.length ? others : [...others, { points, finger }] });
  }

  /** @type {number[][] | null} */
  let drawn = null;
  let brush = [SIDE / 2, SIDE / 2], aiming = false;
  /** @param {PointerEvent} event */
  const at = (event) => {
    const { left, top, width } = pad.getBoundingClientRect();
    return [((event.clientX - left) / width) * SIDE - 0.5, ((event.clientY - top) / width) * SIDE - 0.5];
  };
  pad.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    if (!session.state.now || session.state.strokes.length >= MOST) return;
    pad.setPointerCapture(event.pointerId);
    drawn = [at(event)];
    aiming = false;
    draw(session.state);
  });
  pad.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!drawn) return;
    drawn.push(at(event));
    draw(session.state);
  });
  for (const type of ["pointerup", "pointercancel"])
    pad.addEventListener(type, () => {
      if (!drawn) return;
      const points = drawn;
      drawn = null;
      session.take({ strokes: [...session.state.strokes, { points }] });
    });
  pad.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!session.state.now || (!by && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    aiming = true;
    if (by) brush = brush.map((v, i) => Math.min(Math.max(v + (by[i] * SIDE) / 16, 0), SIDE - 1));
    else if (session.state.strokes.length < MOST) session.take({ strokes: [...session.state.strokes, { points: [brush] }] });
    draw(session.state);
  });
  pad.addEventListener("blur", () => {
    aiming = false;
    if (session.state.now) draw(session.state);
  });

  /** @param {any} state */
  function draw({ before, now }) {
    const context = pad.getContext("2d"), changed = now !== before;
    drawCrop(context, now.crop);
    if (changed) drawHand(context, inside(before.crop, before.keypoints), { width: 3, plain: "white", dashed: true });
    drawHand(context, inside(now.crop, now.keypoints), { width: 4, scores: now.scores });
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = "rgb(120 120 120 / 0.9)";
    context.lineWidth = 2 * RADIUS * SIDE;
    if (drawn) {
      context.beginPath();
      drawn.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.lineTo(drawn[0][0] + 0.01, drawn[0][1]);
      context.stroke();
    }
    if (!aiming) return;
    context.lineWidth = 3;
    context.strokeStyle = "white";
    context.beginPath();
    context.arc(brush[0], brush[1], RADIUS * SIDE, 0, 7);
    context.stroke();
  }

  /** @param {any} state */
  function tell({ before, now, strokes, silenced }) {
    const unit = now.size / SIDE, cell = now.size / now.cells, a = inside(before.crop, before.keypoints), b = inside(now.crop, now.keypoints);
    const moved = a.map((point, i) => Math.hypot(point[0] - b[i][0], point[1] - b[i][1]) * unit);
    const top = Math.max(...moved, cell);
    const entry = (/** @type {number} */ joint) => h("td", { class: hidden.includes(joint) ? "hl-under" : undefined, style: `--part: ${Math.round((70 * moved[joint]) / top)}%` },
      h("b", {}, moved[joint].toFixed(1)), h("span", {}, `${before.scores[joint].toFixed(2)} → ${now.scores[joint].toFixed(2)}`)); // prettier-ignore
    const hidden = a.flatMap((point, joint) => (strokes.some((/** @type {any} */ one) => distance(point, one.points) < RADIUS * SIDE) ? [joint] : []));
    if (now === before) {
      says.textContent = "Nothing is taken away yet. Cover the index finger, for example.";
      table.replaceChildren();
      return;
    }
    says.textContent = verdict(moved, hidden, strokes, silenced, before.scores, now.scores, cell);
    const rows = ["base", "joint 1", "joint 2", "tip"].map((part, i) => h("tr", {}, h("th", { scope: "row" }, part), ...FINGERS.map((_, finger) => entry(4 * finger + 1 + i))));
    table.replaceChildren(h("div", { class: "hl-scroll" }, h("table", { class: "hl-moved" },
      h("caption", {}, `How far each key-point moved, in pixels of the ${now.size} × ${now.size} crop (a cell is ${cell} wide), and its confidence before and after. Framed: covered. Wrist: ${moved[0].toFixed(1)}, ${before.scores[0].toFixed(2)} → ${now.scores[0].toFixed(2)}.`),
      h("thead", {}, h("tr", {}, h("td", {}), ...FINGERS.map((name, i) => h("th", { scope: "col", style: `--joint: ${jointColour(4 * i + 1)}` }, name)))), h("tbody", {}, ...rows)))); // prettier-ignore
  }

  /** @param {number} count @param {number[]} silenced */
  function offer(count, silenced) {
    if (heads.childElementCount !== count)
      heads.replaceChildren(...Array.from({ length: count }, (_, head) => h("button", { type: "button", "aria-label": `Silence head ${head + 1}`, onclick: () => {
        const { silenced } = session.state;
        session.take({ silenced: silenced.includes(head) ? silenced.filter((/** @type {number} */ one) => one !== head) : [...silenced, head].sort() });
      } }, String(head + 1)))); // prettier-ignore
    [...heads.children].forEach((button, head) => button.setAttribute("aria-pressed", String(silenced.includes(head))));
  }

  return {
    element,
    /** @param {any} state @param {Set<string>} changed */
    update(state, changed) {
      element.classList.toggle("hl-waits", !state.now);
      if (changed.has("strokes")) fingers.forEach((button, finger) => button.setAttribute("aria-pressed", String(state.strokes.some((/** @type {any} */ one) => one.finger === finger))));
      if (session.live.about && (changed.has("silenced") || changed.has("now"))) offer(session.live.about.pose.heads, state.silenced);
      back.disabled = !state.silenced.length && !state.strokes.length;
      if (!state.now || !changed.has("now")) return;
      draw(state);
      tell(state);
    },
  };
}

/** From a point to a line through points. @param {number[]} point @param {number[][]} line */
function distance([x, y], line) {
  let least = Infinity;
  line.forEach(([x1, y1], i) => {
    const [x0, y0] = line[Math.max(i - 1, 0)], dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy;
    const part = square ? Math.min(Math.max(((x - x0) * dx + (y - y0) * dy) / square, 0), 1) : 0;
    least = Math.min(least, Math.hypot(x0 + part * dx - x, y0 + part * dy - y));
  });
  return least;
}

/** What happened, in two sentences. @param {number[]} moved @param {number[]} hidden @param {any[]} strokes @param {number[]} silenced
 * @param {number[]} before @param {number[]} after @param {number} cell */
function verdict(moved, hidden, strokes, silenced, before, after, cell) {
  const mean = (/** @type {number[]} */ all) => all.reduce((sum, joint) => sum + moved[joint], 0) / all.length;
  const all = moved.map((_, joint) => joint), rest = all.filter((joint) => !hidden.includes(joint));
  const far = (/** @type {number} */ v) => `${v.toFixed(1)} px (${(v / cell).toFixed(1)} cells)`;
  const named = strokes.filter((one) => one.finger !== undefined).map((one) => (one.finger ? `${FINGERS[one.finger]} finger` : "thumb"));
  const what = [hidden.length || strokes.length ? `covered: ${named.length ? named.join(", ") : hidden.length ? `${hidden.length} key-points` : "no key-point"}` : "", silenced.length ? `silenced: head ${silenced.map((head) => head + 1).join(", ")}` : ""].filter(Boolean).join("; ");
  const intro = `${what[0].toUpperCase()}${what.slice(1)}. `;
  const top = (/** @type {number[]} */ some) => some.reduce((best, joint) => (moved[joint] > moved[best] ? joint : best), some[0]);
  if (!hidden.length) return `${intro}The key-points moved by ${far(mean(all))} on average, most the ${jointName(top(all))}, by ${far(moved[top(all)])}.`;
  const most = top(hidden), tips = hidden.filter((joint) => joint && joint % 4 === 0), tip = tips.length ? top(tips) : most;
  const seen = rest.length ? ` Those in sight moved by ${far(mean(rest))}, most the ${jointName(top(rest))}, by ${far(moved[top(rest)])}.` : "";
  return `${intro}What is covered moved by ${far(mean(hidden))} on average; the ${jointName(tip)} by ${far(moved[tip])}, and its confidence went from ${before[tip].toFixed(2)} to ${after[tip].toFixed(2)}.${seen}`;
}
