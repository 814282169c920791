// Why a prediction is what it is: asked for by hand, told sentence by sentence as each is checked.

import * as api from "./api.js";
import { announce } from "./announcer.js";
import { attributionBars } from "./attributions.js";
import { momentOf } from "./clock.js";
import { documentLink } from "./documents.js";
import { byId, element, write, writeParagraphs, writeWords } from "./dom.js";
import { count, day, moment, words } from "./format.js";
import { Told } from "./told.js";

// In the order in which the service goes through them: `queued` is the language model's queue.
const STAGES = ["facts", "documents", "queued", "writing", "checking", "done"];
const SAID = {
  asked: "Asked",
  facts: "Gathering the facts",
  documents: "Looking for documents that were known at the time",
  queued: "Waiting for its turn",
  writing: "The language model writes",
  checking: "Checking each sentence against the facts",
  done: "Done",
};

// Why a sentence was refused, by the kinds that the checks have.
const REFUSED = {
  form: "not a sentence", characters: "odd characters", markup: "markup or an address", advice: "advice to buy or sell",
  certainty: "more certain than the prediction", number: "a number that is no fact",
  name: "a name that is no fact", negation: "a denial that was not checked", future: "a promise of the future",
  driver: "a driver that is none", order: "a wrong order of the drivers", direction: "a wrong direction",
  subject: "about something else", support: "not supported by its source", verb: "something else than its source says",
  voice: "done by another than its source says", consequence: "a consequence that its source does not draw",
  source: "a source that does not exist or fit", person: "a speaker in the first person",
};

// Why the language model did not write it.
const FALLBACKS = {
  late: "The language model was too slow", resting: "The language model failed several times in a row and is left alone for a minute",
  busy: "Too many explanations are waiting for the language model", away: "The language model does not answer",
  garbled: "The language model wrote nothing that can be read", refused: "Too little of what the language model wrote held",
};

// As long as an answer to a question of one's own is waited for.
const SILENT_AFTER_MS = 90_000;

export class Explanation {
  #of = new Map();
  #ticker = null;
  #prediction = null;

  constructor() {
    byId("explain").addEventListener("click", () => this.ask());
  }

  show(ticker, prediction) {
    this.#ticker = ticker;
    this.#prediction = prediction;
    this.#draw();
  }

  // The same ticker has a newer prediction: what was explained is then an older one.
  follow(prediction) {
    this.#prediction = prediction;
    const { answer, own } = this.#told(this.#ticker);
    if (answer) this.#drawSuperseded(answer);
    byId("explain").disabled = Boolean(own);
  }

  async ask() {
    const ticker = this.#ticker;
    const told = this.#told(ticker);
    if (!ticker || !this.#prediction || told.own) return;
    // Its own each time: one may ask again about the same prediction before the first answer is in.
    const own = { about: this.#prediction.prediction_id };
    Object.assign(told, { own, problem: null, isKept: false });
    announce(`Explaining ${ticker}`);
    this.#draw();
    const answer = await asked(ticker);
    // Otherwise the stream has told it already, and perhaps a newer one since.
    if (told.own === own) {
      told.ends(own.about);
      if (answer instanceof api.Problem) this.#fail(ticker, answer);
      else this.#settle(ticker, answer);
    }
    if (answer.cached && !told.own && told.shows(answer)) this.#keep(ticker);
  }

  // Nothing has changed since it was written, so it was not written again.
  #keep(ticker) {
    this.#told(ticker).isKept = true;
    announce("Nothing has changed since: the explanation stands");
    this.#draw(ticker);
  }

  #fail(ticker, problem) {
    this.#told(ticker).problem = problem;
    announce(`No explanation: ${problem.message}`);
    this.#draw(ticker);
  }

  // `explaining`: how far the work on an explanation is, whoever asked for it.
  progress(message) {
    const { ticker, prediction_id: about, stage, tokens, sentence, draft } = message.progress;
    const told = this.#told(ticker);
    // Progress may come after the answer, on another way: the answer stands, unless it is asked for again.
    const isOver = stage === "done" && !told.works.has(about);
    if (isOver || (told.answer?.prediction_id === about && told.own?.about !== about)) return;
    const work = told.works.get(about) ?? { sentences: [] };
    clearTimeout(work.silent);
    const silent = setTimeout(() => {
      told.works.delete(about);
      this.#draw(ticker);
    }, SILENT_AFTER_MS);
    Object.assign(work, { stage, tokens, draft: draft ?? "", silent });
    if (sentence) work.sentences.push(sentence);
    told.works.set(about, work);
    this.#draw(ticker);
  }

  // `explained`: an answer to whoever asked. The one that is shown may be told again after the next question was asked,
  // which it does not answer.
  explained({ ticker, explanation }) {
    const told = this.#told(ticker);
    if (told.own?.about === explanation.prediction_id && told.shows(explanation)) return;
    this.#settle(ticker, explanation);
  }

  #told(ticker) {
    if (!this.#of.has(ticker)) this.#of.set(ticker, new Told());
    return this.#of.get(ticker);
  }

  #settle(ticker, explanation) {
    const told = this.#told(ticker);
    told.ends(explanation.prediction_id);
    // One's own comes twice: as an answer and on the stream.
    const isNew = !told.shows(explanation) && !this.#isOlder(ticker, explanation);
    if (isNew) Object.assign(told, { answer: explanation, problem: null, isKept: false });
    this.#draw(ticker);
    if (isNew && ticker === this.#ticker) announce(`Explained: ${explanation.text}`);
  }

  // Whether it is of an earlier quote than the one that is shown. A feed that began anew has earlier ones only.
  #isOlder(ticker, explanation) {
    const { answer } = this.#told(ticker);
    const now = ticker === this.#ticker ? this.#prediction : null;
    return Boolean(answer && now) && quoted(explanation) < quoted(answer) && quoted(answer) <= quoted(now);
  }

  #draw(ticker = this.#ticker) {
    if (ticker !== this.#ticker) return;
    const { own, work, problem, answer, isKept } = this.#told(ticker);
    byId("explain").disabled = !this.#prediction || Boolean(own);
    for (const [id, there] of Object.entries({
      "explain-idle": !work && !problem && !answer, "explain-progress": work, "explain-problem": problem, "explain-answer": answer,
    })) byId(id).hidden = !there;
    if (work) this.#drawProgress(work);
    if (problem) drawProblem(problem);
    if (answer) this.#drawAnswer(answer, isKept);
  }

  #drawProgress({ stage, tokens, sentences, draft = "" }) {
    const here = STAGES.indexOf(stage);
    byId("stages").replaceChildren(
      ...STAGES.slice(0, -1).map((each, place) => {
        const step = element("li", place < here ? "done" : place === here ? "here" : "", words(each));
        if (place === here) step.setAttribute("aria-current", "step");
        return step;
      })
    );
    write(byId("stage"), `${SAID[stage] ?? words(stage)}${tokens ? ` · ${count(tokens)} tokens` : ""} …`);
    byId("sentences").replaceChildren(...sentences.map((each) => element("span", "said", `${each} `)));
    byId("draft-box").hidden = !draft;
    write(byId("draft"), draft);
  }

  #drawAnswer(explanation, isKept) {
    const { text, drivers, sources, generator, verified, llm, fallback } = explanation;
    writeParagraphs(byId("explanation-text"), text);
    const writer = generator === "model" ? `Written by ${llm}` : "Written by the template";
    byId("badges").replaceChildren(
      element("span", "badge", writer),
      element("span", verified ? "badge well" : "badge warn", verified ? "✓ verified" : "! not verified"),
      ...(isKept ? [element("span", "badge", "from the cache: nothing has changed since")] : [])
    );
    byId("fallback").hidden = !fallback;
    write(byId("fallback"), fallback ? `${FALLBACKS[fallback] ?? words(fallback)}, so the template speaks.` : "");
    byId("drivers").replaceChildren(...attributionBars(drivers));
    byId("no-drivers").hidden = drivers.length > 0;
    byId("sources").replaceChildren(...sources.map(sourceItem));
    byId("no-sources").hidden = sources.length > 0;
    drawDropped(explanation.dropped ?? {});
    const { data_time: quoted, created_at: written, seconds, prompt_version: prompt } = explanation;
    const origin = `For the quote of ${moment(quoted)} · written ${momentOf(written)} in ${seconds.toFixed(1)} s · prompt ${prompt}`;
    write(byId("explanation-origin"), origin);
    this.#drawSuperseded(explanation);
  }

  // Which quote it is about, where the numbers above are of another one: of a feed that goes on, nearly always.
  #drawSuperseded({ prediction_id: about, data_time: of }) {
    const now = this.#prediction;
    byId("superseded").hidden = !now || about === now.prediction_id;
    if (now) write(byId("superseded"), `About the quote of ${moment(of)}. The numbers above are of ${moment(now.data_time)}.`);
  }
}

// The explanation or the problem.
async function asked(ticker) {
  try {
    return await api.explain(ticker);
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    return problem;
  }
}

const quoted = ({ data_time: moment }) => Date.parse(moment);

// With the letter by which the text cites it.
function sourceItem(source, place) {
  const { title, source: origin, published_at: published, snippet } = source;
  const label = element("b", "", `[${String.fromCharCode("A".charCodeAt(0) + place)}]`);
  const item = element("li", "", label, documentLink(source, title), element("small", "", `${origin}, ${day(published)}`));
  if (snippet) item.append(element("q", "", snippet));
  return item;
}

// How many sentences of the language model were refused, and why.
function drawDropped(dropped) {
  const kinds = Object.entries(dropped);
  const total = kinds.reduce((sum, [, times]) => sum + times, 0);
  byId("dropped").hidden = total === 0;
  write(byId("dropped-count"), `${total} ${total === 1 ? "sentence" : "sentences"} of the language model dropped`);
  byId("dropped-list").replaceChildren(
    ...kinds.map(([kind, times]) => element("li", "", `${REFUSED[kind] ?? words(kind)}: ${times}`))
  );
}

function drawProblem(problem) {
  writeWords(byId("explain-problem"), problem.told);
}
