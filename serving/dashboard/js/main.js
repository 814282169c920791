// Puts the page together.

import * as api from "./api.js";
import { announce } from "./announcer.js";
import { Detail } from "./detail.js";
import { byId } from "./dom.js";
import { Explanation } from "./explanation.js";
import { Health } from "./health.js";
import { listen } from "./keyboard.js";
import { KeyDialog } from "./keys.js";
import { Market } from "./market.js";
import { ModelPill } from "./model_pill.js";
import { Models } from "./models.js";
import { Stream } from "./stream.js";
import * as theme from "./theme.js";
import { TrackRecord } from "./track_record.js";
import { WatchList } from "./watch_list.js";

const LEARN_AGAIN_MS = 5000;
const PAGE_ROWS = 10;

const market = new Market();
const stream = new Stream();
const health = new Health(market);
const explanation = new Explanation();
const models = new Models();
new ModelPill(market, models);
const detail = new Detail(market, { explanation, record: new TrackRecord(), models });
const list = new WatchList(market);
const keyDialog = new KeyDialog();

const TAKES = {
  subscribed: ({ resumed }) => resumed && market.connected(true),
  complete: () => market.connected(true),
  prediction: (message) => market.predicted(message),
  status: (message) => market.stand(message),
  explaining: (message) => explanation.progress(message),
  explained: ({ explanation: told }) => explanation.explained({ ticker: told.ticker, explanation: told }),
};

// What is shown is in the address, so that a reload, a bookmark and the way back keep it.
const chosen = () => location.hash.slice(1);

function follow() {
  const ticker = chosen();
  document.body.dataset.view = ticker ? "detail" : "list";
  if (!ticker) return;
  list.choose(ticker);
  detail.show(ticker);
}

// Where the list gives way to the ticker, the focus goes with it: the next key is for what is seen.
function choose(ticker) {
  if (!ticker) return;
  if (ticker !== chosen()) location.hash = ticker;
  follow();
  if (narrow.matches) byId("side").focus({ preventScroll: true });
}

function back() {
  const opened = document.body.dataset.view === "detail";
  document.body.dataset.view = "list";
  if (byId("search").value) {
    byId("search").value = "";
    byId("search").dispatchEvent(new Event("input"));
  }
  if (opened && narrow.matches) history.pushState(null, "", location.pathname);
  byId("grid").focus({ preventScroll: true });
}

// On a screen with room for both, a ticker is always shown.
const narrow = matchMedia("(max-width: 1000px)");
function chooseFirst() {
  if (!chosen() && !narrow.matches && list.first) {
    history.replaceState(null, "", `#${list.first}`);
    follow();
  }
}

// What the page works with besides the stream. It is read until it is there.
let again = 0;
async function learn() {
  clearTimeout(again);
  try {
    const [statuses, tickers] = await Promise.all([api.statuses(), api.tickers()]);
    market.learnStatuses(statuses);
    market.learnTickers(tickers);
    byId("loading").hidden = true;
    byId("none").hidden = market.entries.size > 0;
    byId("away").hidden = true;
    models.again();
    chooseFirst();
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    if (problem.keyWanted) {
      stream.hold();
      keyDialog.ask(problem);
    } else again = setTimeout(learn, LEARN_AGAIN_MS);
    byId("loading").hidden = true;
    byId("away").hidden = problem.keyWanted || market.entries.size > 0;
  }
}

stream.addEventListener("message", ({ detail: message }) => TAKES[message.type]?.(message));
stream.addEventListener("state", ({ detail: told }) => {
  health.connection(told);
  // A connection that is refused says not why: the API does.
  if (told.state === "lost") learn();
  else if (told.state === "live") {
    keyDialog.taken();
    if (market.entries.size) detail.again();
  }
});
market.addEventListener("list", () => {
  byId("loading").hidden = byId("none").hidden = true;
  chooseFirst();
});
list.addEventListener("chosen", ({ detail: ticker }) => choose(ticker));
list.addEventListener("pinned", () => showPin());
keyDialog.addEventListener("changed", () => {
  stream.reset();
  learn();
  models.load();
});
window.addEventListener("hashchange", follow);
window.addEventListener("popstate", follow);

function showPin() {
  const pinned = list.isPinned(detail.ticker);
  byId("pin").setAttribute("aria-pressed", pinned);
  byId("pin").textContent = pinned ? "★" : "☆";
}
window.addEventListener("hashchange", showPin);
byId("pin").addEventListener("click", () => list.pin(detail.ticker));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("grid").focus();
});
byId("back").addEventListener("click", back);
byId("again").addEventListener("click", () => {
  learn();
  stream.connect();
});

const switchTheme = () => announce(`${theme.toggle()} theme`);
const help = () => byId("help-dialog").showModal();
byId("theme").addEventListener("click", switchTheme);
byId("help").addEventListener("click", help);

listen({
  ArrowDown: () => list.move(1),
  ArrowUp: () => list.move(-1),
  PageDown: () => list.move(PAGE_ROWS),
  PageUp: () => list.move(-PAGE_ROWS),
  Home: () => list.move(-Infinity),
  End: () => list.move(Infinity),
  Enter: () => choose(list.active),
  Escape: back,
  "/": () => byId("search").select(),
  e: () => explanation.ask(),
  p: () => list.active && list.pin(list.active),
  t: switchTheme,
  "?": help,
});

follow();
learn();
models.load();
health.check();
stream.connect();
