// The model in use, in the head of the page: the one that made most of the latest predictions.

import { byId, write } from "./dom.js";
import { day } from "./format.js";

const DRAW_MS = 1000;
const EXPIRED = "model_expired";

export class ModelPill {
  #market;
  #models;

  constructor(market, models) {
    this.#market = market;
    this.#models = models;
    for (const each of [market, models]) each.addEventListener("all", () => this.#draw());
    setInterval(() => this.#draw(), DRAW_MS);
  }

  #draw() {
    const used = this.#used();
    const [version] = used;
    const known = this.#models.of(version);
    const isExpired = Boolean(version) && this.#isExpired(version);
    byId("model").dataset.state = version ? (isExpired ? "warn" : "live") : this.#market.standing.lost ? "lost" : "connecting";
    write(byId("model-said"), version ? `model ${version}` : this.#missing);
    const parts = [isExpired ? "expired" : "", used.length > 1 ? `${used.length - 1} more` : ""];
    write(byId("model-more"), parts.filter(Boolean).join(", "));
    write(byId("model-until"), known?.expires_at && !isExpired ? `until ${day(known.expires_at)}` : "");
    byId("model").title = used.join(", ");
  }

  get #missing() {
    if (this.#market.standing.lost) return "model unknown";
    return this.#market.complete ? "no model yet" : "model …";
  }

  // The versions, the most used first. Before the first prediction it is the champions that would make it.
  #used() {
    const counts = new Map();
    for (const { prediction } of this.#market.entries.values()) {
      if (prediction) counts.set(prediction.model_version, (counts.get(prediction.model_version) ?? 0) + 1);
    }
    const used = [...counts].sort(([, one], [, other]) => other - one).map(([version]) => version);
    return used.length ? used : this.#models.champions;
  }

  #isExpired(version) {
    const isOf = ({ prediction }) => prediction?.model_version === version && prediction.flags.includes(EXPIRED);
    return [...this.#market.entries.values()].some(isOf);
  }
}
