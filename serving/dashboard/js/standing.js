// Where the numbers stand: what each status means, what holds of all of them or of some tickers, and what happened to a
// ticker since its prediction.

import { momentOf } from "./clock.js";
import { asSentence, words } from "./format.js";

const WELL = { status: "ok", since: "1970-01-01T00:00:00Z" };
const UNHEARD = { status: "connecting", last_known: false };
const LOST = {
  status: "connection_lost",
  last_known: true,
  meaning: "The connection to the server is lost, so these are the last known numbers.",
  next_step: "the page connects again by itself",
};
// Flags that the server adds to a number that it sends again; the status messages say when they hold no longer.
const TOLD_APART = new Set(["predict_silent", "feed_mute"]);
// Where a list has little room.
const SHORT = { connection_lost: "offline", predict_silent: "not heard", provisional_bar: "provisional", session_closed: "closed" };
// They are said of a prediction without speaking against it.
const NOTED = new Set(["replay", "provisional_bar", "session_closed"]);

export class Standing {
  #meanings = new Map([[LOST.status, LOST]]);
  #all = UNHEARD;
  #ofTicker = new Map();
  #happened = new Map();
  // While the connection is lost, all that is known is what was known before.
  lost = false;

  learn(statuses) {
    for (const each of statuses) this.#meanings.set(each.status, each);
  }

  // Where the feed stands: as for all tickers, or, where it is graver, as for some of them; `count` says for how many.
  get feed() {
    if (this.lost) return LOST;
    const counts = new Map();
    for (const { status } of this.#ofTicker.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    let found = this.#all;
    for (const each of this.#ofTicker.values()) {
      if (found === UNHEARD || this.#gravity(each.status) > this.#gravity(found.status)) found = each;
    }
    return found === this.#all ? found : { ...found, count: counts.get(found.status) };
  }

  // The API tells the statuses from the gravest; one that it does not tell is none.
  #gravity(status) {
    const place = [...this.#meanings.keys()].indexOf(status);
    return place < 0 || status === "ok" ? -Infinity : -place;
  }

  // A status message; answers the tickers that it is about, none where it is about all.
  hear(message) {
    if (!message.standing) for (const ticker of message.tickers) this.#happened.set(ticker, message);
    else if (message.tickers.length) for (const ticker of message.tickers) this.#ofTicker.set(ticker, message);
    else {
      this.#all = message;
      this.#ofTicker.clear();
    }
    return message.tickers;
  }

  predicted(ticker) {
    this.#happened.delete(ticker);
  }

  // Everything that holds of a prediction, the gravest first: its flags and what came after them.
  marks({ prediction, status, statusSince }) {
    const since = new Map();
    for (const flag of prediction.flags) {
      if (!TOLD_APART.has(flag)) since.set(flag, status === flag ? statusSince : null);
    }
    for (const reason of this.#against(prediction)) since.set(reason.status, reason.since ?? null);
    return [...since].map(([flag, from]) => this.#mark(flag, from)).sort((one, other) => other.weight - one.weight);
  }

  #against({ ticker, prediction_time: made }) {
    if (this.lost) return [LOST];
    const here = this.#ofTicker.get(ticker) ?? (this.#all === UNHEARD ? WELL : this.#all);
    const found = this.#happened.has(ticker) ? [this.#happened.get(ticker)] : [];
    if (here.status !== "ok") found.unshift(here);
    else if (Date.parse(made) < Date.parse(here.since)) found.push({ status: "stale", since: here.since });
    return found;
  }

  #mark(flag, from) {
    const meaning = this.#meanings.get(flag);
    const lastKnown = Boolean(meaning?.last_known);
    const grade = lastKnown ? "grave" : meaning && !NOTED.has(flag) ? "warn" : "note";
    const since = from ? ` since ${momentOf(from)}` : "";
    return {
      flag,
      grade,
      weight: ["note", "warn", "grave"].indexOf(grade),
      short: SHORT[flag] ?? words(flag),
      long: (lastKnown ? "last known: " : "") + words(flag) + since,
      meaning: meaning ? `${meaning.meaning} ${asSentence(meaning.next_step ?? "")}`.trim() : "",
    };
  }
}

export const isLastKnown = (marks) => marks.some(({ grade }) => grade === "grave");
