// The live table: one row per ticker, fed by /stream. Everything shown comes from the server as text, never as HTML.
const rows = document.getElementById("rows");
const state = document.getElementById("state");
const filter = document.getElementById("filter");
const clock = document.getElementById("clock");
const why = document.getElementById("why");
const GRAVE = new Set(["stale", "cold_window", "model_expired", "market_missing"]);
const shown = new Map();

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
  return { row, cells };
}

function show(prediction, snapshot) {
  const { ticker } = prediction;
  if (!shown.has(ticker)) shown.set(ticker, makeRow(ticker));
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
  cells[6].replaceChildren(
    ...prediction.flags.map((flag) => element("span", GRAVE.has(flag) ? "flag grave" : "flag", flag.replaceAll("_", " ")))
  );
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
    if (message.type === "prediction") show(message.prediction, message.snapshot);
  });
  socket.addEventListener("close", () => {
    state.dataset.state = "lost";
    state.textContent = "connection lost, trying again";
    setTimeout(() => connect(Math.min(2 * pause, 8000)), pause);
  });
}

filter.addEventListener("input", () => shown.forEach((_, ticker) => match(ticker)));
connect(500);
