// Why a prediction is what it is: asked for by hand, told sentence by sentence as each is checked.

import * as api from "./api.js";
import { announce } from "./announcer.js";
import { attributionBars } from "./attributions.js";
import { documentLink } from "./documents.js";
import { byId, element, write, writeWords } from "./dom.js";
import { count, day, moment, words } from "./format.js";

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

const ASKED = { stage: "asked", tokens: 0, sentences: [] };
// As long as an answer to a question of one's own is waited for.
const SILENT_AFTER_MS = 90_000;

// What is known of the explanations of one ticker: the last answer or the last problem, `own`: the prediction that was
// asked about here and has no answer yet, and the works that go on, by the prediction that each is about.
class Told {
  answer = null;
  problem = null;
  own = null;
  works = new Map();

  // The one that was begun last.
  get work() {
    return [...this.works.values()].at(-1) ?? (this.own ? ASKED : null);
  }

  ends(about) {
    clearTimeout(this.works.get(about)?.silent);
    this.works.delete(about);
    if (this.own === about) this.own = null;
  }
}

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
    byId("superseded").hidden = !answer || answer.prediction_id === prediction.prediction_id;
    byId("explain").disabled = Boolean(own);
  }

  async ask() {
    const ticker = this.#ticker;
    const told = this.#told(ticker);
    if (!ticker || !this.#prediction || told.own) return;
    const own = this.#prediction.prediction_id;
    Object.assign(told, { own, problem: null });
    announce(`Explaining ${ticker}`);
    this.#draw();
    const answer = await asked(ticker);
    // The stream has told it already, and perhaps a newer one since.
    if (told.own !== own) return;
    told.ends(own);
    if (answer instanceof api.Problem) this.#fail(ticker, answer);
    else this.#settle(ticker, answer);
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
    if (isOver || (told.answer?.prediction_id === about && told.own !== about)) return;
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

  explained({ ticker, explanation }) {
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
    const isNew = told.answer?.explanation_id !== explanation.explanation_id && !this.#isOlder(ticker, explanation);
    if (isNew) Object.assign(told, { answer: explanation, problem: null });
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
    const { own, work, problem, answer } = this.#told(ticker);
    byId("explain").disabled = !this.#prediction || Boolean(own);
    for (const [id, there] of Object.entries({
      "explain-idle": !work && !problem && !answer, "explain-progress": work, "explain-problem": problem, "explain-answer": answer,
    })) byId(id).hidden = !there;
    if (work) this.#drawProgress(work);
    if (problem) drawProblem(problem);
    if (answer) this.#drawAnswer(answer);
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

  #drawAnswer(explanation) {
    const { text, drivers, sources, generator, verified, llm } = explanation;
    write(byId("explanation-text"), text);
    const writer = generator === "model" ? `Written by ${llm}` : "Written by the template";
    byId("badges").replaceChildren(
      element("span", "badge", writer),
      element("span", verified ? "badge well" : "badge warn", verified ? "✓ verified" : "! not verified")
    );
    byId("drivers").replaceChildren(...attributionBars(drivers));
    byId("no-drivers").hidden = drivers.length > 0;
    byId("sources").replaceChildren(...sources.map(sourceItem));
    byId("no-sources").hidden = sources.length > 0;
    drawDropped(explanation.dropped ?? {});
    const { data_time: quoted, seconds, prompt_version: prompt } = explanation;
    write(byId("explanation-origin"), `For the quote of ${moment(quoted)} · ${seconds.toFixed(1)} s · prompt ${prompt}`);
    byId("superseded").hidden = !this.#prediction || explanation.prediction_id === this.#prediction.prediction_id;
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
