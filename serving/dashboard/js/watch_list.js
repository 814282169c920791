// The watch list: only the rows in view exist, and a frame draws only those that changed. So five thousand tickers cost
// what twenty do.

import { announce } from "./announcer.js";
import { byId, write } from "./dom.js";
import { count } from "./format.js";
import { reachOf } from "./interval_bar.js";
import { isLive, ordered } from "./ordering.js";
import { keep, recall } from "./preferences.js";
import { Row } from "./row.js";

const SPARE_ROWS = 4;
const REORDER_MS = 1000;

export class WatchList extends EventTarget {
  #market;
  #grid = byId("grid");
  #space = byId("rows");
  #search = byId("search");
  #rows = [];
  #order = null;
  #pins = new Set(recall("pins", []));
  #sort = recall("sort", { column: "ticker", descending: false });
  #dirty = new Set();
  #stale = true;
  #misordered = false;
  #frame = 0;
  #reach = 0.02;
  #height = 0;
  #active = null;
  chosen = null;

  constructor(market) {
    super();
    this.#market = market;
    market.addEventListener("list", () => this.#reorder());
    market.addEventListener("all", () => this.#redraw());
    market.addEventListener("ticker", ({ detail }) => this.#touch(detail));
    byId("scroll").addEventListener("scroll", () => this.#redraw(), { passive: true });
    new ResizeObserver(() => this.#redraw()).observe(byId("scroll"));
    this.#search.addEventListener("input", () => this.#searched());
    this.#space.addEventListener("click", (event) => this.#clicked(event));
    for (const head of this.#grid.querySelectorAll("[data-sort]")) {
      head.addEventListener("click", () => this.sortBy(head.dataset.sort));
    }
    byId("sort").addEventListener("change", ({ target }) => this.sortBy(target.value));
    setInterval(() => this.#misordered && isLive(this.#sort.column) && this.#reorder(), REORDER_MS);
    this.#showSort();
  }

  get first() {
    this.#put();
    return this.#order[0]?.ticker ?? null;
  }

  get active() {
    return this.#active ?? this.chosen;
  }

  choose(ticker) {
    this.chosen = this.#active = ticker;
    this.#reveal();
    this.#redraw();
  }

  // Moves the keyboard's row; answers its ticker.
  move(steps) {
    this.#put();
    const here = this.#order.findIndex(({ ticker }) => ticker === this.active);
    const place = Math.min(this.#order.length - 1, Math.max(0, here < 0 ? 0 : here + steps));
    this.#active = this.#order[place]?.ticker ?? null;
    this.#reveal();
    this.#redraw();
    if (this.#active) announce(this.#active);
  }

  pin(ticker) {
    if (!this.#pins.delete(ticker)) this.#pins.add(ticker);
    keep("pins", [...this.#pins]);
    announce(`${ticker} ${this.#pins.has(ticker) ? "pinned" : "unpinned"}`);
    this.#reorder();
    this.dispatchEvent(new CustomEvent("pinned", { detail: ticker }));
  }

  isPinned(ticker) {
    return this.#pins.has(ticker);
  }

  sortBy(column) {
    const again = column === this.#sort.column;
    this.#sort = { column, descending: again ? !this.#sort.descending : column !== "ticker" };
    keep("sort", this.#sort);
    this.#showSort();
    this.#reorder();
  }

  #searched() {
    byId("scroll").scrollTop = 0;
    this.#active = null;
    this.#reorder();
    this.#put();
    announce(`${count(this.#order.length)} found`);
  }

  #clicked(event) {
    const ticker = event.target.closest(".row")?.dataset.ticker;
    if (!ticker) return;
    if (event.target.closest(".pin")) this.pin(ticker);
    else this.dispatchEvent(new CustomEvent("chosen", { detail: ticker }));
  }

  #showSort() {
    const { column, descending } = this.#sort;
    for (const head of this.#grid.querySelectorAll("[data-sort]")) {
      const here = head.dataset.sort === column;
      head.parentElement.setAttribute("aria-sort", here ? (descending ? "descending" : "ascending") : "none");
    }
    byId("sort").value = column;
  }

  #touch(ticker) {
    this.#dirty.add(ticker);
    this.#misordered = true;
    this.#ask();
  }

  #reorder() {
    this.#misordered = true;
    this.#order = null;
    this.#redraw();
  }

  #redraw() {
    this.#stale = true;
    this.#ask();
  }

  #ask() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #put() {
    if (this.#order) return;
    const entries = [...this.#market.entries.values()];
    this.#order = ordered(entries, { search: this.#search.value, pins: this.#pins, ...this.#sort });
    this.#reach = reachOf(entries.filter(({ prediction }) => prediction).map(({ prediction }) => prediction));
    this.#misordered = false;
    write(byId("count"), entries.length ? `${count(this.#order.length)} of ${count(entries.length)}` : "");
    write(byId("reach"), entries.length ? `± ${100 * this.#reach}%` : "");
    byId("nothing").hidden = this.#order.length > 0 || entries.length === 0;
  }

  // Read where all is drawn only: it makes the browser look at all styles.
  #measure() {
    this.#height = Number.parseFloat(getComputedStyle(this.#grid).getPropertyValue("--row-height"));
    return this.#height;
  }

  #reveal() {
    this.#put();
    const place = this.#order.findIndex(({ ticker }) => ticker === this.active);
    if (place < 0) return;
    const [scroll, height] = [byId("scroll"), this.#measure()];
    const head = byId("head").offsetHeight;
    if (place * height < scroll.scrollTop) scroll.scrollTop = place * height;
    const over = (place + 1) * height + head - scroll.clientHeight;
    if (over > scroll.scrollTop) scroll.scrollTop = over;
  }

  #draw() {
    this.#frame = 0;
    this.#put();
    if (this.#stale) this.#drawAll();
    else for (const row of this.#rows) if (!row.node.hidden && this.#dirty.has(row.ticker)) this.#drawRow(row, row.place);
    this.#stale = false;
    this.#dirty.clear();
  }

  #drawAll() {
    const [scroll, height] = [byId("scroll"), this.#measure()];
    const first = Math.max(0, Math.floor(scroll.scrollTop / height) - SPARE_ROWS);
    const last = Math.min(this.#order.length, Math.ceil((scroll.scrollTop + scroll.clientHeight) / height) + SPARE_ROWS);
    while (this.#rows.length < last - first) {
      const row = new Row(this.#rows.length);
      this.#rows.push(row);
      this.#space.append(row.node);
    }
    // Whether tickers move through the list or the list through the window, a row stays with its place.
    this.#rows.forEach((row) => (row.node.hidden = true));
    for (let place = first; place < last; place++) {
      this.#drawRow(this.#rows[place % this.#rows.length], place);
    }
    this.#space.style.height = `${this.#order.length * height}px`;
    this.#grid.setAttribute("aria-rowcount", this.#order.length + 1);
    const active = this.#rows.find(({ node }) => !node.hidden && node.classList.contains("active"));
    if (active) this.#grid.setAttribute("aria-activedescendant", active.node.id);
    else this.#grid.removeAttribute("aria-activedescendant");
  }

  #drawRow(row, place) {
    const entry = this.#order[place];
    row.node.hidden = false;
    row.place = place;
    row.show(entry, {
      place,
      height: this.#height,
      marks: this.#market.marks(entry.ticker),
      reach: this.#reach,
      complete: this.#market.complete,
      pinned: this.#pins.has(entry.ticker),
      chosen: entry.ticker === this.chosen,
      active: entry.ticker === this.active,
    });
  }
}
