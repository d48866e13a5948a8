// Elements of a page, written as calls.

/** Make an element. `on...` are listeners, `class` and all else attributes; `true` is an attribute without a value.
 * @param {string} tag @param {Record<string, any>} [given] @param {...(Node|string|null|undefined)} children
 * @returns {any} */
export function h(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined) made.append(child);
  return made;
}

let count = 0;
/** A name for an element that another one points to. @param {string} word */
export function unique(word) {
  return `hl-${word}-${++count}`;
}

/** One choice of a few: radio buttons that look like one bar.
 * @template T @param {string} label @param {[T, string][]} choices @param {T} start @param {(value: T) => void} choose */
export function choice(label, choices, start, choose) {
  const name = unique("choice");
  return h("div", { class: "hl-choice", role: "radiogroup", "aria-label": label },
    ...choices.map(([value, text]) => h("label", {},
      h("input", { type: "radio", name, checked: value === start, onchange: () => choose(value) }), h("span", {}, text)))); // prettier-ignore
}

/** A step of the page: number, title, one sentence, and what it shows.
 * @param {string} title @param {string} sentence @param {...(Node|string|null)} children */
export function step(title, sentence, ...children) {
  const id = unique("step");
  return h("section", { class: "hl-step", id: `${id}-place`, "aria-labelledby": id },
    h("p", { class: "hl-heading", role: "heading", "aria-level": 2, id }, title), h("p", { class: "hl-sentence" }, sentence), ...children); // prettier-ignore
}

/** Arrow keys move the focus inside a group, of which Tab reaches one. @param {HTMLElement} group @param {number} columns */
export function roving(group, columns) {
  group.addEventListener("keydown", (event) => {
    const all = /** @type {HTMLElement[]} */ ([...group.querySelectorAll("button")]), at = all.indexOf(/** @type {any} */ (event.target));
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (at < 0 || by === undefined) return;
    event.preventDefault();
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    next.focus();
    next.click();
  });
}
