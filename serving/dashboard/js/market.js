// All tickers with their latest predictions. Whoever draws asks for what changed, once a frame.

import { Standing } from "./standing.js";

export class Market extends EventTarget {
  #entries = new Map();
  standing = new Standing();
  // The newest moment at which a quote came, and of which feed.
  heard = null;
  feedName = "";
  // Whether everything was told once: until then, what is missing may only not have come yet.
  complete = false;

  get entries() {
    return this.#entries;
  }

  learnTickers(infos) {
    for (const info of infos) if (!info.is_index) this.#entry(info.ticker).name = info.name;
    this.#tell("list");
  }

  learnStatuses(statuses) {
    this.standing.learn(statuses);
    this.#tell("all");
  }

  predicted(message) {
    const { prediction } = message;
    const { ticker } = prediction;
    const fresh = !this.#entries.has(ticker) || !this.#entries.get(ticker).prediction;
    const entry = this.#entry(ticker);
    entry.before = entry.prediction?.price ?? null;
    Object.assign(entry, { prediction, status: message.status, statusSince: message.status_since });
    entry.live = !message.snapshot;
    this.standing.predicted(ticker);
    if (this.heard === null || Date.parse(prediction.prediction_time) > Date.parse(this.heard)) {
      this.heard = prediction.prediction_time;
      this.feedName = prediction.feed;
    }
    if (fresh) this.#tell("list");
    this.#tell("ticker", ticker);
  }

  stand(message) {
    const tickers = this.standing.hear(message);
    if (!tickers.length) this.#tell("all");
    for (const ticker of tickers) this.#tell("ticker", ticker);
    this.#tell("feed");
  }

  // The connection is lost, or it is back and everything that was missed has come.
  connected(whether) {
    if (this.standing.lost === !whether && (this.complete || !whether)) return;
    this.standing.lost = !whether;
    this.complete ||= whether;
    this.#tell("all");
  }

  marks(ticker) {
    const entry = this.#entries.get(ticker);
    return entry?.prediction ? this.standing.marks(entry) : [];
  }

  #entry(ticker) {
    if (!this.#entries.has(ticker)) this.#entries.set(ticker, { ticker, name: "", prediction: null, before: null });
    return this.#entries.get(ticker);
  }

  #tell(kind, ticker = null) {
    this.dispatchEvent(new CustomEvent(kind, { detail: ticker }));
  }
}
