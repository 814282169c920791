// How the system is: the connection, the feed with the age of its last quote, and what the API needs.

import * as api from "./api.js";
import { announce } from "./announcer.js";
import { momentOf, secondsSince } from "./clock.js";
import { byId, element, write, writeWords } from "./dom.js";
import { age, asSentence, clockTime, count, sentence, words } from "./format.js";

const CHECK_MS = 15_000;
const CONNECTION = { live: "live", lost: "connection lost, trying again", held: "API key needed" };
const SAID = { connecting: "feed connecting", ok: "feed ok", connection_lost: "feed unknown", stale: "feed stale" };
const GOOD = new Set(["ok", "session_closed"]);

export class Health {
  #market;
  #stream = { state: "connecting" };

  constructor(market) {
    this.#market = market;
    for (const kind of ["all", "feed"]) market.addEventListener(kind, () => this.#drawFeed());
    market.addEventListener("list", () => this.#drawAge());
    setInterval(() => this.#drawAge(), 1000);
    setInterval(() => this.check(), CHECK_MS);
  }

  connection(detail) {
    const before = this.#stream.state;
    this.#stream = detail;
    const said = CONNECTION[detail.state];
    byId("connection").dataset.state = detail.state;
    write(byId("connection-said"), said);
    if (before !== detail.state && before !== "connecting") announce(said);
    if (detail.state !== "live") this.#market.connected(false);
    this.#drawFeed();
  }

  async check() {
    const dependencies = byId("dependencies");
    try {
      const found = await api.health();
      const rows = Object.entries(found.dependencies).map(([name, said]) => dependency(name, said));
      dependencies.replaceChildren(dependency("api", found.status), ...rows);
    } catch {
      dependencies.replaceChildren(dependency("api", "no answer"));
    }
  }

  #drawFeed() {
    const { status, since, count: some, meaning = "", next_step: step = "", last_known: lastKnown } = this.#market.standing.feed;
    const state = lastKnown ? "lost" : GOOD.has(status) ? "live" : "connecting";
    byId("feed").dataset.state = state;
    const all = this.#market.entries.size;
    const share = some < all && status !== "ok" ? `${count(some)} of ${count(all)} tickers` : "";
    write(byId("feed-said"), [share, SAID[status] ?? words(status)].filter(Boolean).join(": "));
    // Without a ticker there is no number that it could be said of; the list says what is the matter.
    // Nor is it said of each pause of a replay, whose sessions are seconds apart: the page would jump.
    const closed = status === "session_closed" && !this.#market.feedName.startsWith("replay/");
    const told = all > 0 && (lastKnown || closed);
    const banner = byId("banner");
    banner.hidden = !told;
    banner.dataset.grade = lastKnown ? "grave" : "note";
    const whose = sentence([share, since ? `since ${momentOf(since)}` : ""].filter(Boolean).join(", "));
    // A reason's next step, after the colon, is taken by the page itself.
    const [cause] = (this.#stream.reason ?? "").split(":");
    const reason = this.#stream.state === "lost" && cause ? `(${cause})` : "";
    const said = [`${whose}${whose ? ": " : ""}${meaning}`, asSentence(step), reason].filter(Boolean);
    writeWords(banner, told ? said.join(" ") : "");
    this.#drawAge();
  }

  #drawAge() {
    const { heard, feedName, complete } = this.#market;
    const awaited = this.#stream.state === "connecting" || this.#stream.state === "live" ? "Loading …" : "";
    const text = heard ? `${feedName} · last quote ${age(secondsSince(heard))}` : complete ? "no quote yet" : awaited;
    write(byId("feed-age"), text);
    byId("feed-age").title = heard ? `${heard.slice(0, 10)} ${clockTime(heard)}` : "";
  }
}

function dependency(name, said) {
  const well = said === "ok";
  const item = element("li", "", element("span", "dot"), element("b", "", name), element("span", "", well ? "ok" : said));
  item.dataset.state = well ? "live" : "lost";
  return item;
}
