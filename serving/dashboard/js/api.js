// Questions to the API. What goes wrong is a Problem that says what to do.

import { heard } from "./clock.js";
import { headers } from "./credential.js";
import { asSentence } from "./format.js";

const ANSWER_WITHIN_MS = 20_000;
const EXPLAIN_WITHIN_MS = 90_000;

export class Problem extends Error {
  constructor({ status = 0, title = "", detail = "", next_step: nextStep = "" }) {
    super(detail || title);
    Object.assign(this, { status, title, detail, nextStep });
  }

  // The cause and the next step, as sentences.
  get told() {
    if (this.keyWanted) return "The API asks for a key.";
    return [this.message, this.nextStep].filter(Boolean).map(asSentence).join(" ");
  }

  get keyWanted() {
    return this.status === 401;
  }
}

const AWAY = {
  title: "the API is away",
  detail: "The API does not answer.",
  next_step: "`riskee status` shows whether it runs",
};

const LATE = { title: "no answer in time", detail: "The API did not answer in time." };

const CUT_OFF = { ...AWAY, title: "the answer was cut off", detail: "The API's answer did not come whole." };

async function ask(path, options, late = LATE) {
  let response;
  try {
    // What is cached is asked about: an answer to a key must not stand for one without it.
    response = await fetch(path, { cache: "no-cache", ...options, headers: headers(), credentials: "omit" });
  } catch (error) {
    throw new Problem(error.name === "TimeoutError" ? late : AWAY);
  }
  heard(response.headers.get("date"));
  const body = await response.json().catch(() => null);
  if (response.ok && body === null) throw new Problem(CUT_OFF);
  if (!response.ok) throw new Problem({ title: response.statusText, ...body, status: response.status });
  return body;
}

const get = (path) => ask(path, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
const named = (ticker) => encodeURIComponent(ticker);

export const tickers = () => get("/v1/tickers");
export const statuses = () => get("/v1/statuses");
export const models = () => get("/v1/models");
export const sessions = (ticker, limit) => get(`/v1/predictions/${named(ticker)}?each=session&limit=${limit}`);
export const trackRecord = (ticker) => get(ticker ? `/v1/track-record/${named(ticker)}` : "/v1/track-record");
export const document = (path) => get(path);

export const explain = (ticker) =>
  ask(
    `/v1/explain/${named(ticker)}`,
    { method: "POST", signal: AbortSignal.timeout(EXPLAIN_WITHIN_MS) },
    { ...LATE, detail: "No explanation came in time.", next_step: "Ask again: the work may go on" }
  );

// Its body says the same whether it can serve or not.
export async function health() {
  const response = await fetch("/health/ready", { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  return response.json();
}
