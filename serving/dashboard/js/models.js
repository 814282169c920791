// The model that made a prediction: which it is, how old, and until when it may serve.

import * as api from "./api.js";
import { secondsSince } from "./clock.js";
import { byId, element, write, writeWords } from "./dom.js";
import { age, day, sentence } from "./format.js";

export class Models {
  #known = [];
  #version = "";

  async load() {
    try {
      this.#known = await api.models();
      byId("models-problem").hidden = true;
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      byId("models-problem").hidden = false;
      writeWords(byId("models-problem"), problem.told);
    }
    this.#draw();
  }

  // A version that nobody has told of yet: a new champion was promoted.
  inUse(version) {
    if (version === this.#version) return;
    this.#version = version;
    if (version && !this.#known.some((each) => each.model_version === version)) this.load();
    else this.#draw();
  }

  #draw() {
    const model = this.#known.find((each) => each.model_version === this.#version);
    write(byId("model-version"), this.#version || "–");
    const facts = model ? factsOf(model) : [];
    byId("model-facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
    write(byId("model-reason"), model?.reason ? `${sentence(model.reason)}.`.replace("..", ".") : "");
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
