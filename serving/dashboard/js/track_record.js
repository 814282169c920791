// What became of the predictions, with the intervals that say how little or how much is known.

import * as api from "./api.js";
import { calibrationPlot } from "./calibration_plot.js";
import { byId, element, write, writeWords } from "./dom.js";
import { count, percent, sentence } from "./format.js";
import { whisker } from "./whiskers.js";

const PROMISED = 0.8;

export class TrackRecord {
  #ticker = null;
  // How often was asked: only the last question's answer is shown.
  #asked = 0;

  constructor() {
    for (const choice of document.querySelectorAll("[name=record-of]")) choice.addEventListener("change", () => this.#load());
    byId("record-again").addEventListener("click", () => this.#load());
  }

  show(ticker) {
    const again = ticker === this.#ticker;
    this.#ticker = ticker;
    write(byId("record-ticker"), ticker);
    return again ? this.#read() : this.#load();
  }

  #load() {
    this.#say("Loading …");
    return this.#read();
  }

  async #read() {
    const wanted = byId("record-one").checked ? this.#ticker : "";
    const asked = ++this.#asked;
    try {
      const record = await api.trackRecord(wanted);
      if (asked === this.#asked) this.#draw(record);
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      // What is shown of the same choice stands.
      if (asked === this.#asked && byId("record").hidden) this.#say(problem.told, true);
    }
  }

  #say(text, failed = false) {
    byId("record-again").hidden = !failed;
    byId("record").hidden = true;
    byId("record-empty").hidden = false;
    byId("record-empty").className = failed ? "problem" : "soft";
    writeWords(byId("record-empty"), text);
  }

  #draw({ models, calibration }) {
    if (!models.length) {
      this.#say("No prediction is settled yet. One is, once the session after its own is over.");
      return;
    }
    byId("record-empty").hidden = byId("record-again").hidden = true;
    byId("record").hidden = false;
    const [{ standing, coverage_80: coverage }] = models;
    write(byId("verdict"), `${sentence(standing.verdict)}.`);
    const sessions = standing.sessions === 1 ? "session" : "sessions";
    write(byId("record-of"), `${count(standing.outcomes)} predictions of ${count(standing.sessions)} ${sessions}; each session counts once.`);
    byId("rates").replaceChildren(hits(standing), covered(coverage), brier(standing));
    byId("calibration").replaceChildren(...(calibration?.length ? [calibrationPlot(calibration)] : []));
    byId("calibration-box").hidden = !calibration?.length;
    byId("per-model").replaceChildren(...models.slice(1).map(modelRow));
    byId("per-model-box").hidden = models.length < 2;
  }
}

function rate(name, value, said, picture) {
  const head = element("div", "rate-head", element("span", "", name), element("b", "", value));
  return element("div", "rate", head, ...(picture ? [picture] : []), element("small", "", said));
}

function hits({ outcomes, hit_rate: value, hit_rate_low: low, hit_rate_high: high, chance }) {
  const said = `${percent(low)} to ${percent(high)} with 95% confidence, n = ${count(outcomes)}; chance ${percent(chance)} (dashed)`;
  return rate("Direction hit", percent(value), said, whisker({ value, low, high, reference: chance, label: "Direction hit" }));
}

function covered(coverage) {
  const { value, low, high } = typeof coverage === "number" ? { value: coverage } : coverage;
  const between = low === undefined || low === null ? "too few sessions for an interval" : `${percent(low)} to ${percent(high)} with 95% confidence`;
  const picture = whisker({ value, low: low ?? undefined, high: high ?? undefined, reference: PROMISED, label: "Closes in the interval" });
  return rate("Closes in the 80% interval", percent(value), `${between}; promised 80% (dashed)`, picture);
}

function brier({ brier: score, brier_of_share: climatology }) {
  const compared = score < climatology ? "better than" : "not better than";
  return rate("Brier score", score.toFixed(4), `${compared} always giving the share of rises, ${climatology.toFixed(4)}; less is better`);
}

function modelRow({ standing }) {
  const { model_version: version, outcomes, hit_rate: value, hit_rate_low: low, hit_rate_high: high } = standing;
  const texts = [version, count(outcomes), `${percent(value)} (${percent(low)}–${percent(high)})`, standing.brier.toFixed(4)];
  return element("tr", "", ...texts.map((text) => element("td", "", text)));
}
