// One ticker, beside the list: its numbers, its chart, its explanation, its record.

import * as api from "./api.js";
import { TickerChart } from "./chart.js";
import { secondsSince } from "./clock.js";
import { byId, element, write, writeWords } from "./dom.js";
import { age, arrow, change, likelier, moment, percent, price } from "./format.js";
import { isLastKnown } from "./standing.js";

const SESSIONS = 250;
const NOT_FOUND = 404;
// How often at most the past is read again.
const READ_AGAIN_MS = 5000;

export class Detail {
  #market;
  #explanation;
  #record;
  #models;
  #chart = new TickerChart();
  #ticker = null;
  #loading = null;
  #due = 0;
  #readAt = 0;
  #retry = 0;
  // A ticker that the API does not know: one of an old bookmark, say.
  #unknown = null;

  constructor(market, { explanation, record, models }) {
    this.#market = market;
    this.#explanation = explanation;
    this.#record = record;
    this.#models = models;
    market.addEventListener("ticker", ({ detail }) => detail === this.#ticker && this.#ask());
    market.addEventListener("all", () => this.#ask());
    setInterval(() => this.#drawAge(), 1000);
    byId("chart-again").addEventListener("click", () => this.#load());
  }

  get ticker() {
    return this.#ticker;
  }

  get #entry() {
    return this.#market.entries.get(this.#ticker);
  }

  show(ticker) {
    if (ticker === this.#ticker) return;
    this.#ticker = ticker;
    byId("detail").hidden = false;
    byId("detail-empty").hidden = true;
    this.#explanation.show(ticker, this.#entry?.prediction ?? null);
    this.#draw();
    this.#load();
    this.#record.show(ticker);
  }

  // After the API was away: what could not be read is read again.
  again() {
    if (!this.#ticker) return;
    if (this.#isCharted) this.#read();
    else this.#load();
    this.#record.show(this.#ticker);
  }

  get #isCharted() {
    return byId("chart-box").dataset.state === "";
  }

  #load() {
    this.#chart.clear();
    this.#chartSays("loading", "Loading the past …");
    return this.#read();
  }

  // What is shown stands until there is more: a new session began, or the first prediction was stored.
  #readAgain() {
    if (performance.now() - this.#readAt < READ_AGAIN_MS) return;
    this.#read();
    this.#record.show(this.#ticker);
  }

  async #read() {
    const ticker = this.#ticker;
    this.#readAt = performance.now();
    this.#loading = ticker;
    clearTimeout(this.#retry);
    try {
      const { predictions } = await api.sessions(ticker, SESSIONS);
      if (ticker !== this.#ticker) return;
      this.#loading = null;
      if (!predictions.length) this.#chartSays("empty", "No prediction of this ticker is stored yet. Its next quote brings one.");
      else {
        this.#chartSays("");
        this.#chart.show(predictions);
      }
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      if (ticker !== this.#ticker) return;
      this.#loading = null;
      if (problem.status === NOT_FOUND) this.#unknown = ticker;
      // Without a key every further try would be refused too; the page asks for one.
      const isFinal = problem.keyWanted || problem.status === NOT_FOUND;
      if (!this.#isCharted) this.#chartSays("problem", isFinal ? problem.told : `${problem.told} This page tries again by itself.`);
      if (isFinal) this.#ask();
      else this.#retry = setTimeout(() => this.#read(), READ_AGAIN_MS);
    }
  }

  #chartSays(state, text = "") {
    byId("chart-box").dataset.state = state;
    writeWords(byId("chart-says"), text);
    byId("chart-again").hidden = state !== "problem";
  }

  // In the frame in which the list draws the same.
  #ask() {
    this.#due ||= requestAnimationFrame(() => {
      this.#due = 0;
      this.#draw();
    });
  }

  #draw() {
    const entry = this.#entry;
    write(byId("title"), this.#ticker ?? "");
    write(byId("subtitle"), entry?.name ?? "");
    document.title = this.#ticker ? `${this.#ticker} · Riskee` : "Riskee";
    const prediction = entry?.prediction;
    byId("figures").hidden = !prediction;
    byId("no-prediction").hidden = Boolean(prediction) || !this.#ticker;
    write(byId("no-prediction"), this.#missing);
    const marks = this.#ticker ? this.#market.marks(this.#ticker) : [];
    byId("marks").replaceChildren(...marks.map(chip));
    this.#sayMeaning(marks);
    byId("detail").classList.toggle("last-known", isLastKnown(marks));
    byId("detail").classList.toggle("unknown", this.#isUnknown);
    byId("pin").hidden = this.#isUnknown;
    if (!prediction) return;
    this.#drawFigures(prediction);
    this.#explanation.follow(prediction);
    this.#models.inUse(prediction.model_version);
    if (!this.#loading && !this.#chart.follow(prediction)) this.#readAgain();
  }

  // What is to be known of the number is said in words too: a finger has no pointer to rest on a mark. What holds of the
  // feed the banner says.
  #sayMeaning(marks) {
    const { feed } = this.#market.standing;
    const said = marks.filter(({ flag, grade }) => grade !== "note" && flag !== feed.status).map(({ meaning }) => meaning);
    byId("marks-mean").hidden = !said.length;
    writeWords(byId("marks-mean"), said.join(" "));
  }

  get #isUnknown() {
    return this.#ticker !== null && this.#unknown === this.#ticker;
  }

  // Why there is no prediction.
  get #missing() {
    if (this.#isUnknown) return `${this.#ticker} is no ticker that is predicted. Choose one from the watch list.`;
    if (this.#market.complete) return "This ticker has no prediction yet. Its next quote brings one.";
    return this.#market.standing.lost ? "Its prediction is not known: there is no connection." : "Loading …";
  }

  #drawFigures({ price: now, expected_return: expected, predicted_price: predicted, p_up: chance, confidence, interval, horizon }) {
    write(byId("price"), price(now));
    write(byId("predicted"), price(predicted));
    write(byId("expected"), change(expected));
    const way = byId("chance");
    write(way, `${arrow(chance)} ${percent(chance)}`);
    way.className = likelier(chance);
    write(byId("confidence"), percent(confidence));
    write(byId("interval"), `${price(interval.p10)} – ${price(interval.p90)}`);
    write(byId("horizon"), horizon === "1d" ? "next close" : horizon);
    this.#drawAge();
  }

  #drawAge() {
    const prediction = this.#entry?.prediction;
    if (!prediction) return;
    const { data_time: quoted, prediction_time: made } = prediction;
    write(byId("quote-time"), `Quote of ${moment(quoted)} · came ${age(secondsSince(made))}`);
  }
}

function chip({ long, grade, meaning }) {
  const made = element("li", `mark ${grade}`, long);
  made.title = meaning.replaceAll("`", "");
  return made;
}
