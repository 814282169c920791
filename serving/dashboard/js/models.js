// The models that the API tells of, and the one of the prediction that is shown: how old it is, until when it may serve.

import * as api from "./api.js";
import { secondsSince } from "./clock.js";
import { byId, element, write, writeWords } from "./dom.js";
import { age, asSentence, day } from "./format.js";

export class Models extends EventTarget {
  #known = [];
  #version = "";
  // Versions that were asked about: one that is not told of then is not asked about again.
  #asked = new Set();
  #failed = false;

  async load() {
    try {
      this.#known = await api.models();
      this.#failed = false;
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      this.#failed = true;
      writeWords(byId("models-problem"), problem.told);
    }
    byId("models-problem").hidden = !this.#failed;
    this.#draw();
    this.dispatchEvent(new Event("all"));
  }

  // After the API was away.
  again() {
    if (this.#failed) this.load();
  }

  get champions() {
    return this.#known.filter(({ alias }) => alias === "champion").map(({ model_version: version }) => version);
  }

  // What is known of a version. One that nobody has told of yet is asked about: a new champion was promoted.
  of(version) {
    const found = this.#known.find((each) => each.model_version === version);
    if (version && !found && !this.#asked.has(version)) {
      this.#asked.add(version);
      this.load();
    }
    return found;
  }

  // The one of the prediction that is shown.
  inUse(version) {
    if (version === this.#version) return;
    this.#version = version;
    this.#draw();
  }

  #draw() {
    const model = this.of(this.#version);
    write(byId("model-version"), this.#version || "–");
    const facts = model ? factsOf(model) : [];
    byId("model-facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
    write(byId("model-reason"), asSentence(model?.reason ?? ""));
  }
}

function factsOf({ model_type: type, alias, trained_from: from, trained_through: through, created_at: created, expires_at: expires }) {
  return [
    ["Type", `${type}${alias ? `, ${alias}` : ""}`],
    ["Trained on", from ? `${day(from)} to ${day(through)}` : `data through ${day(through)}`],
    ["Made", `${day(created)}, ${age(secondsSince(created))}`],
    ["May serve until", expires ? `${day(expires)} of the data` : "not said"],
  ];
}
