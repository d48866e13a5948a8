// Where a page has an element of class handpose-live, the network is put into it: with all steps, or with those that its
// data-views names, one after the other.

import { attention } from "./attention.js";
import { boxes } from "./boxes.js";
import { choose } from "./choose.js";
import { cut } from "./cut.js";
import { h } from "./element.js";
import { letter } from "./letter.js";
import { maps } from "./maps.js";
import { Session } from "./session.js";
import { forget, starter, wanted } from "./starter.js";
import { swap } from "./swap.js";
import { takeaway } from "./takeaway.js";

/** In the order of the paper. */
const VIEWS = { boxes, cut, maps, attention, takeaway, swap, letter };
const folder = new URL(".", /** @type {HTMLScriptElement} */ (document.currentScript).src).href;

/** @param {HTMLElement} root */
function mount(root) {
  const live = window.handposeLive, names = root.dataset.views?.split(" ") ?? Object.keys(VIEWS), compact = !!root.dataset.views;
  const start = starter(live, root.dataset.start ?? "Start the networks", ready);
  root.classList.toggle("hl-compact", compact);
  root.append(start.element);
  if (start.possible && wanted())
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      start.begin();
    }, { rootMargin: "300px" }).observe(root); // prettier-ignore

  async function ready() {
    const session = new Session(live), chooser = choose(session, { folder, root, compact });
    const views = [chooser, ...names.map((name) => VIEWS[name](session))], { ms } = live.about;
    
    const foot = h("p", { class: "hl-small" }, `${live.runtime}, started in ${(ms.total / 1000).toFixed(1)} s. Nothing leaves this page. `,
      h("button", { type: "button", class: "hl-link", onclick: stop }, "Stop the networks and free their memory")); // prettier-ignore
    const steps = compact ? null : h("nav", { class: "hl-steps", "aria-label": "Steps" },
      ...views.map(({ element }) => h("a", { href: `#${element.id}`, hidden: element.hidden }, element.firstElementChild.textContent))); // prettier-ignore
    const all = h("div", { class: "hl-all" }, steps, ...views.map((view) => view.element), foot);
    for (const poster of document.querySelectorAll(".hl-poster")) poster.remove();
    root.append(all);
    for (const view of views) session.on(view.update);
    session.on((state) => {
      all.classList.toggle("hl-working", state.busy);
      all.classList.toggle("hl-none", !state.busy && !state.hands.length);
    });
    await chooser.begin();

    function stop() {
      chooser.stop();
      live.stop();
      forget();
      all.remove();
      mount(root);
    }
  }
}

for (const root of document.querySelectorAll(".handpose-live")) mount(/** @type {HTMLElement} */ (root));
