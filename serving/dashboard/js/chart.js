// The chart of a ticker: the price of each session, and what had been predicted for it the session before.

import { createChart, LineSeries } from "../vendor/lightweight-charts-5.2.1.mjs";
import { byId, element, write } from "./dom.js";
import { ForecastBands } from "./forecast_bands.js";
import { arrow, change, percent, price } from "./format.js";
import { bandOf, counted, drawn, newestOf } from "./sessions.js";
import { colour, onChange } from "./theme.js";

const SHOWN_SESSIONS = 60;
const TABLE_ROWS = 30;
const OUTCOMES = { hit: "● hit", miss: "✕ miss", open: "not settled yet" };
// The kinds of ticks of the time scale: those of a year and of a month come before that of a day.
const DAY_TICK = 2;
const months = new Intl.DateTimeFormat("en", { month: "short", timeZone: "UTC" });

function colours() {
  return {
    ink: colour("ink"), accent: colour("accent"), band: colour("band"), openBand: colour("band-open"),
    up: colour("up"), down: colour("down"), outside: colour("outside"),
  };
}

function options() {
  return {
    autoSize: true,
    layout: {
      background: { color: "transparent" }, textColor: colour("soft"), fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11, attributionLogo: false,
    },
    grid: { vertLines: { visible: false }, horzLines: { color: colour("grid") } },
    rightPriceScale: { borderVisible: false, entireTextOnly: true, scaleMargins: { top: 0.08, bottom: 0.08 } },
    timeScale: { borderVisible: false, rightOffset: 2, minBarSpacing: 3, minimumHeight: 34, tickMarkFormatter: tickOf },
    crosshair: { vertLine: { color: colour("soft") }, horzLine: { color: colour("soft") } },
    handleScroll: { vertTouchDrag: false },
  };
}

// Each day with its month: of a few sessions, none may be the first of one.
function tickOf(time, kind) {
  const day = new Date(`${time}T00:00:00Z`);
  if (kind >= DAY_TICK) return `${day.getUTCDate()} ${months.format(day)}`;
  return kind ? months.format(day) : String(day.getUTCFullYear());
}

export class TickerChart {
  #chart = null;
  #line;
  #series;
  #prices = [];
  #bands = [];
  // The session after the last one that is drawn.
  #coming = "";
  #feed = "";

  constructor() {
    onChange(() => this.#paint());
  }

  // The history of a ticker; what comes live follows it. Read again, it is shown where it was looked at.
  show(predictions) {
    this.#make();
    const anew = this.#prices.length === 0 || this.#feed !== newestOf(predictions).feed;
    this.#feed = newestOf(predictions).feed;
    ({ prices: this.#prices, bands: this.#bands, coming: this.#coming } = drawn(predictions));
    this.#line.setData(this.#prices);
    this.#series.setData(this.#bands);
    const last = Math.max(this.#prices.length, this.#bands.length);
    if (anew) this.#chart.timeScale().setVisibleLogicalRange({ from: Math.max(-0.5, last - SHOWN_SESSIONS), to: last + 1 });
    this.#tell();
  }

  clear() {
    this.#prices = this.#bands = [];
    this.#line?.setData([]);
    this.#series?.setData([]);
    byId("past").replaceChildren();
    byId("chart").setAttribute("aria-label", "Chart");
    for (const each of ["chart-summary", "readout"]) write(byId(each), "");
  }

  // A new prediction of the same ticker. Answers false where it does not continue what is shown.
  follow(prediction) {
    const last = this.#prices.at(-1);
    if (last?.time !== prediction.session_date) return false;
    const band = bandOf(prediction, null, this.#coming, true);
    this.#line.update({ time: prediction.session_date, value: prediction.price });
    if (this.#bands.at(-1)?.time <= band.time) this.#series.update(band);
    this.#prices[this.#prices.length - 1] = { ...last, value: prediction.price };
    return true;
  }

  #make() {
    if (this.#chart) return;
    this.#chart = createChart(byId("chart"), options());
    this.#series = this.#chart.addCustomSeries(new ForecastBands(colours), { lastValueVisible: false, priceLineVisible: false });
    this.#line = this.#chart.addSeries(LineSeries, { lineWidth: 2, lastValueVisible: false, priceLineVisible: false, crosshairMarkerRadius: 4 });
    this.#chart.subscribeCrosshairMove(({ time }) => this.#read(time));
    this.#paint();
  }

  #paint() {
    if (!this.#chart) return;
    this.#chart.applyOptions(options());
    this.#line.applyOptions({ color: colour("ink") });
    this.#series.applyOptions({});
  }

  // What the chart says at a moment, in words.
  #read(time) {
    const band = this.#bands.find((each) => each.time === time);
    const value = this.#prices.find((each) => each.time === time)?.value;
    const parts = [time ?? "", value === undefined ? "" : `price ${price(value)}`];
    if (band) parts.push(`predicted ${price(band.predicted)} (${price(band.low)}–${price(band.high)})`, said(band));
    write(byId("readout"), parts.filter(Boolean).join(" · "));
  }

  #tell() {
    const { settled, open, hits, inside } = counted(this.#bands);
    const waiting = open === 1 ? "1 is not settled yet." : `${open} are not settled yet.`;
    const summary = settled
      ? `Of the last ${settled} settled predictions ${hits} hit the direction, and ${inside} closes were inside the 80% interval. ${open ? waiting : ""}`.trim()
      : "None of the predictions is settled yet.";
    byId("chart").setAttribute("aria-label", `Price and predictions of ${this.#prices.length} sessions. ${summary}`);
    write(byId("chart-summary"), summary);
    byId("past").replaceChildren(...this.#bands.slice(-TABLE_ROWS).reverse().map(pastRow));
  }
}

function said({ verdict, outside }) {
  return OUTCOMES[verdict] + (outside ? ", outside the interval" : "");
}

function pastRow(band) {
  const expected = change(Math.log(band.predicted / band.from));
  const came = band.came === null ? "–" : `${price(band.came)} (${change(Math.log(band.came / band.from))})`;
  const texts = [band.time, `${price(band.predicted)} (${expected}), ${arrow(band.chance)} ${percent(band.chance)} up`, `${price(band.low)} – ${price(band.high)}`, came, said(band)];
  return element("tr", "", ...texts.map((text) => element("td", "", text)));
}

