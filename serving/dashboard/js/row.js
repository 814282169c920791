// One row of the watch list. Rows are taken over by other tickers as the list is scrolled, so nothing is kept in them
// but what they show.

import { element, write } from "./dom.js";
import { arrow, change, likelier, percent, price } from "./format.js";
import { IntervalBar } from "./interval_bar.js";
import { isLastKnown } from "./standing.js";

const FLASH = { duration: 700, easing: "ease-out" };
const still = matchMedia("(prefers-reduced-motion: reduce)");
const cell = (name, ...children) => {
  const made = element("div", `cell ${name}`, ...children);
  made.setAttribute("role", "gridcell");
  return made;
};
// How far from an even chance the little bar reaches.
const CHANCE_REACH = 0.25;
const MUTE = "–";

export class Row {
  #pin = element("button", "pin");
  #ticker = element("strong");
  #name = element("small");
  #price = element("b");
  #expected = element("b");
  #predicted = element("small");
  #chance = element("b");
  #chanceBar = element("i");
  #bar = new IntervalBar();
  #confidence = element("small");
  #low = element("small");
  #high = element("small");
  #status = element("span", "mark");
  #more = element("small", "more");
  ticker = null;

  constructor(index) {
    this.#pin.tabIndex = -1;
    const ends = element("span", "ends", this.#low, this.#high);
    const chance = element("span", "chance-bar", this.#chanceBar);
    this.node = element(
      "div",
      "row",
      cell("pinned", this.#pin),
      cell("name", this.#ticker, this.#name),
      cell("price", this.#price),
      cell("expected", this.#expected, this.#predicted),
      cell("chance", this.#chance, chance, this.#confidence),
      cell("interval", this.#bar.node, ends),
      cell("status", this.#status, this.#more)
    );
    this.node.setAttribute("role", "row");
    this.node.id = `row-${index}`;
  }

  // `place`: how many rows are above it; `chosen` is shown beside the list, `active` has the keyboard;
  // `complete`: what is missing is not only late.
  show(entry, { place, height, marks, reach, complete, pinned, chosen, active }) {
    const { node } = this;
    const same = this.ticker === entry.ticker;
    this.ticker = entry.ticker;
    node.dataset.ticker = entry.ticker;
    node.style.transform = `translateY(${place * height}px)`;
    node.setAttribute("aria-rowindex", place + 2);
    node.setAttribute("aria-selected", chosen);
    node.classList.toggle("active", active);
    this.#pin.setAttribute("aria-pressed", pinned);
    this.#pin.setAttribute("aria-label", `${pinned ? "Unpin" : "Pin"} ${entry.ticker}`);
    write(this.#pin, pinned ? "★" : "☆");
    write(this.#ticker, entry.ticker);
    write(this.#name, entry.name);
    node.classList.toggle("unpredicted", !entry.prediction);
    node.classList.toggle("last-known", isLastKnown(marks));
    if (!entry.prediction) this.#showNothing();
    else this.#showNumbers(entry.prediction, reach);
    this.#showMarks(marks, entry, complete);
    if (same && entry.live && entry.before !== null) this.#flash(entry);
    entry.before = null;
  }

  #showNothing() {
    for (const each of [this.#price, this.#expected, this.#chance]) write(each, MUTE);
    for (const each of [this.#predicted, this.#low, this.#high, this.#confidence]) write(each, "");
    this.#chance.className = "";
    this.#chanceBar.style.width = "0";
  }

  #showNumbers(prediction, reach) {
    const { expected_return: expected, interval } = prediction;
    write(this.#price, price(prediction.price));
    write(this.#expected, change(expected));
    write(this.#predicted, price(prediction.predicted_price));
    write(this.#chance, `${arrow(prediction.p_up)} ${percent(prediction.p_up)}`);
    this.#chance.className = likelier(prediction.p_up);
    write(this.#confidence, `conf. ${percent(prediction.confidence)}`);
    this.#drawChance(prediction.p_up);
    this.#bar.draw(prediction, reach);
    write(this.#low, price(interval.p10));
    write(this.#high, price(interval.p90));
  }

  // From the middle, which is an even chance, to the likelier side.
  #drawChance(chance) {
    const size = Math.min(50, (50 * Math.abs(chance - 0.5)) / CHANCE_REACH);
    this.#chanceBar.className = likelier(chance);
    this.#chanceBar.style.left = `${chance >= 0.5 ? 50 : 50 - size}%`;
    this.#chanceBar.style.width = `${size}%`;
  }

  #showMarks(marks, entry, complete) {
    const first = marks[0];
    const said = first ? first.short : entry.prediction ? "ok" : complete ? "none yet" : "Loading …";
    write(this.#status, said);
    this.#status.className = `mark ${first ? first.grade : entry.prediction ? "well" : "note"}`;
    this.node.querySelector(".status").title = marks.map(({ long }) => long).join(", ");
    write(this.#more, marks.length > 1 ? marks.slice(1).map(({ short }) => short).join(", ") : "");
  }

  #flash({ prediction, before }) {
    if (still.matches || prediction.price === before) return;
    const colour = getComputedStyle(this.node).getPropertyValue(prediction.price > before ? "--up-soft" : "--down-soft");
    this.#price.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], FLASH);
  }
}
