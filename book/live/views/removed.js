// A line that says what was taken away, and gives it back.

import { h } from "./element.js";

/** @param {import("./session.js").Session} session */
export function removed(session) {
  const words = h("span"), undo = h("button", { type: "button", onclick: () => session.take({ silenced: [], strokes: [] }) }, "Give everything back");
  const element = h("p", { class: "hl-removed", hidden: true }, words, " ", undo);
  return {
    element,
    /** @param {any} state @param {Set<string>} changed */
    update({ silenced, strokes }, changed) {
      if (!changed.has("silenced") && !changed.has("strokes")) return;
      const heads = silenced.length && `${silenced.length} ${silenced.length === 1 ? "head" : "heads"} silenced`, cover = strokes.length && "a part covered";
      element.hidden = !heads && !cover;
      words.textContent = `Shown with ${[heads, cover].filter(Boolean).join(" and ")}.`;
    },
  };
}
