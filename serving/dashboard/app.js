// The live table: one row per ticker, fed by /stream. Everything shown comes from the server as text, never as HTML.
const rows = document.getElementById("rows");
const state = document.getElementById("state");
const filter = document.getElementById("filter");
const clock = document.getElementById("clock");
const why = document.getElementById("why");
const banner = document.getElementById("banner");
const shown = new Map();
// What each status means, from the server; and where the numbers stand: all of them, those of some tickers that stand
// otherwise, and what happened to a ticker since its prediction.
const meanings = new Map();
const WELL = { status: "ok", since: "1970-01-01T00:00:00Z" };
// Flags that the server adds to a number that it sends again; the status messages say when they hold no longer.
const TOLD_APART = new Set(["predict_silent", "feed_mute"]);
const LOST = { status: "connection_lost", last_known: true, meaning: "The connection to the server is lost." };
let standing = WELL;
const standingOf = new Map();
const happened = new Map();

const price = (value) => value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const percent = (value, digits) => (100 * value).toFixed(digits) + " %";

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function makeRow(ticker) {
  const row = element("tr", "");
  const names = ["ticker", "price number", "predicted number", "expected number", "rise", "interval", "flags", "ask"];
  const cells = names.map((name) => element("td", name));
  const ask = element("button", "", "Why?");
  ask.addEventListener("click", () => explain(ticker));
  cells[0].textContent = ticker;
  cells[7].append(ask);
  row.append(...cells);
  const after = [...shown.keys()].filter((other) => other > ticker).sort()[0];
  rows.insertBefore(row, after ? shown.get(after).row : null);
  return { row, cells, prediction: null };
}

const words = (name) => name.replaceAll("_", " ");
const time = (text) => text.slice(11, 19) + " UTC";

// The statuses that hold of a prediction besides its own flags, the first of which it is the last known number for.
function against({ ticker, prediction_time }) {
  const here = standingOf.get(ticker) ?? standing;
  const found = happened.has(ticker) ? [happened.get(ticker)] : [];
  if (here.status !== "ok") found.unshift(here);
  else if (Date.parse(prediction_time) < Date.parse(here.since)) found.push({ status: "stale", since: here.since });
  return found;
}

function chip(flag, since) {
  const meaning = meanings.get(flag);
  const old = meaning?.last_known || flag === LOST.status;
  const text = old ? `last known: ${words(flag)}${since ? ` since ${time(since)}` : ""}` : words(flag);
  const made = element("span", old ? "flag grave" : meaning && flag !== "session_closed" ? "flag warn" : "flag", text);
  if (meaning) made.title = `${meaning.meaning} ${meaning.next_step}`.trim();
  return { made, old };
}

function showFlags(ticker) {
  const { row, cells, prediction } = shown.get(ticker);
  const own = prediction.flags.filter((flag) => !TOLD_APART.has(flag));
  const since = new Map(own.map((flag) => [flag, prediction.status === flag ? prediction.status_since : null]));
  for (const reason of against(prediction)) since.set(reason.status, reason.since ?? null);
  const chips = [...since].map(([flag, from]) => chip(flag, from)).sort((one, other) => other.old - one.old);
  cells[6].replaceChildren(...chips.map(({ made }) => made));
  row.classList.toggle("last-known", chips.some(({ old }) => old));
}

function stand(message) {
  if (!message.standing) for (const ticker of message.tickers) happened.set(ticker, message);
  else if (message.tickers.length) for (const ticker of message.tickers) standingOf.set(ticker, message);
  else {
    standing = message;
    standingOf.clear();
  }
  banner.hidden = !standing.last_known && standing.status !== "session_closed";
  banner.textContent = banner.hidden
    ? ""
    : `${words(standing.status)}${standing.since ? ` since ${time(standing.since)}` : ""}. ${standing.meaning}`;
  banner.classList.toggle("grave", Boolean(standing.last_known));
  shown.forEach((_, ticker) => showFlags(ticker));
}

function show(prediction, snapshot) {
  const { ticker } = prediction;
  if (!shown.has(ticker)) shown.set(ticker, makeRow(ticker));
  shown.get(ticker).prediction = prediction;
  happened.delete(ticker);
  const { row, cells } = shown.get(ticker);
  const rising = prediction.expected_return >= 0;
  cells[1].textContent = price(prediction.price);
  cells[2].textContent = price(prediction.predicted_price);
  cells[3].textContent = (rising ? "+" : "−") + percent(Math.abs(Math.expm1(prediction.expected_return)), 2);
  cells[3].className = "expected number " + (rising ? "up" : "down");
  const bar = element("i", "");
  bar.style.width = percent(prediction.p_up, 1).replace(" ", "");
  cells[4].replaceChildren(element("span", "chance", bar), percent(prediction.p_up, 1));
  cells[5].textContent = `${price(prediction.interval.p10)} – ${price(prediction.interval.p90)}`;
  showFlags(ticker);
  if (!snapshot) {
    row.classList.remove("fresh");
    void row.offsetWidth; // restarts the animation
    row.classList.add("fresh");
  }
  match(ticker);
  clock.textContent = `${prediction.feed} · ${prediction.data_time.replace("T", " ").replace("Z", " UTC")}`;
  document.getElementById("empty").hidden = true;
}

function match(ticker) {
  shown.get(ticker).row.hidden = !ticker.includes(filter.value.trim().toUpperCase());
}

async function explain(ticker) {
  const [title, text, sources, origin] = ["h2", ".text", ".sources", ".origin"].map((name) => why.querySelector(name));
  title.textContent = ticker;
  text.textContent = "Asking the language model; this takes a few seconds.";
  sources.replaceChildren();
  origin.textContent = "";
  why.showModal();
  const response = await fetch(`/explain/${encodeURIComponent(ticker)}`, { method: "POST" });
  const answer = await response.json();
  if (title.textContent !== ticker) return;
  if (!response.ok) {
    text.textContent = `${answer.detail}. ${answer.next_step}`;
    return;
  }
  text.textContent = answer.text;
  sources.replaceChildren(
    ...answer.sources.map((source) => element("li", "", `${source.title} (${source.source}, ${source.published_at.slice(0, 10)})`))
  );
  origin.textContent = `${answer.generator === "model" ? answer.llm : "template"}, ${answer.verified ? "verified" : "not verified"}, for the quote of ${answer.data_time}`;
}

function connect(pause) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/stream`);
  socket.addEventListener("open", () => {
    pause = 500;
    state.dataset.state = state.textContent = "live";
    socket.send(JSON.stringify({ type: "subscribe", tickers: ["*"] }));
  });
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "prediction") {
      show({ ...message.prediction, status: message.status, status_since: message.status_since }, message.snapshot);
    } else if (message.type === "status") stand(message);
  });
  socket.addEventListener("close", () => {
    state.dataset.state = "lost";
    state.textContent = "connection lost, trying again";
    stand({ ...LOST, standing: true, tickers: [] });
    setTimeout(() => connect(Math.min(2 * pause, 8000)), pause);
  });
}

async function learn() {
  const response = await fetch("/statuses");
  for (const each of await response.json()) meanings.set(each.status, each);
}

filter.addEventListener("input", () => shown.forEach((_, ticker) => match(ticker)));
// The page works without the meanings, only tells less.
learn().finally(() => connect(500));
