// An interval as a little bar around the price: the band from p10 to p90, and a tick at the predicted price. All bars
// of a list share one scale, so that a wide one is an uncertain one.

import { element } from "./dom.js";
import { likelier } from "./format.js";

export class IntervalBar {
  #band = element("i", "band");
  #tick = element("i", "tick");

  constructor() {
    this.node = element("span", "interval-bar", element("i", "centre"), this.#band, this.#tick);
    this.node.setAttribute("aria-hidden", "true");
  }

  // `reach`: the share of the price at which the bar ends, on either side.
  draw({ price, predicted_price: predicted, interval, p_up: chance }, reach) {
    const place = (value) => Math.min(100, Math.max(0, 50 + (50 * (value / price - 1)) / reach));
    const left = place(interval.p10);
    // Where it goes on beyond the bar's end, an arrow says so.
    this.node.classList.toggle("beyond-low", interval.p10 < price * (1 - reach));
    this.node.classList.toggle("beyond-high", interval.p90 > price * (1 + reach));
    this.#band.style.left = `${left}%`;
    this.#band.style.width = `${Math.max(1, place(interval.p90) - left)}%`;
    this.#tick.style.left = `${place(predicted)}%`;
    this.#tick.className = `tick ${likelier(chance)}`;
  }
}

// A round reach that nine in ten of the intervals fit into.
export function reachOf(predictions) {
  const widths = predictions
    .map(({ price, interval }) => Math.max(interval.p90 / price - 1, 1 - interval.p10 / price))
    .sort((one, other) => one - other);
  const wanted = widths[Math.floor(0.9 * (widths.length - 1))] ?? 0.02;
  return [0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5].find((step) => wanted <= step) ?? 1;
}
