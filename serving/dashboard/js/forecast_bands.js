// A series for the chart: of each session the interval that was predicted for its close, the predicted price in it, and
// whether the direction was hit. What came is told by form as well as by colour: a full dot is a hit, a cross a miss, a
// dashed band was left by the price.

import { likelier } from "./format.js";

const NARROWEST = 3;
const WIDEST = 14;

export class ForecastBands {
  #colours;
  #data = null;

  // `colours()` gives the colours of the theme at the time of drawing.
  constructor(colours) {
    this.#colours = colours;
  }

  renderer() {
    return { draw: (target, toY) => target.useBitmapCoordinateSpace((scope) => this.#draw(scope, toY)) };
  }

  update(data) {
    this.#data = data;
  }

  priceValueBuilder({ low, high, predicted }) {
    return [low, high, predicted];
  }

  isWhitespace(item) {
    return item.low === undefined;
  }

  defaultOptions() {
    return { color: "", lastValueVisible: false, priceLineVisible: false };
  }

  #draw({ context, horizontalPixelRatio: rx, verticalPixelRatio: ry }, toY) {
    const { bars, barSpacing, visibleRange } = this.#data ?? {};
    if (!bars || !visibleRange) return;
    const width = Math.min(WIDEST, Math.max(NARROWEST, barSpacing * 0.6)) * rx;
    const colours = this.#colours();
    for (let place = visibleRange.from; place < visibleRange.to; place++) {
      const { x, originalData: band } = bars[place];
      const y = (price) => toY(price) * ry;
      context.save();
      drawBand(context, { x: x * rx, width, top: y(band.high), bottom: y(band.low), band, colours, ry });
      drawTick(context, { x: x * rx, width, y: y(band.predicted), way: likelier(band.chance), colours, ry });
      if (band.came !== null) drawOutcome(context, { x: x * rx, y: y(band.came), band, size: width, colours, ry });
      context.restore();
    }
  }
}

function drawBand(context, { x, width, top, bottom, band, colours, ry }) {
  context.beginPath();
  context.roundRect(x - width / 2, top, width, Math.max(2, bottom - top), Math.min(width / 2, 4 * ry));
  context.fillStyle = band.ahead ? colours.openBand : colours.band;
  context.fill();
  if (!band.outside && !band.ahead) return;
  context.setLineDash(band.outside ? [2 * ry, 2 * ry] : []);
  context.lineWidth = ry;
  context.strokeStyle = band.outside ? colours.outside : colours.accent;
  context.stroke();
  context.setLineDash([]);
}

function drawTick(context, { x, width, y, way, colours, ry }) {
  context.fillStyle = colours[way];
  context.fillRect(x - width / 2, y - ry, width, 2 * ry);
}

function drawOutcome(context, { x, y, band, size, colours, ry }) {
  const reach = Math.min(4 * ry, Math.max(2 * ry, size / 3));
  context.lineWidth = 1.5 * ry;
  context.strokeStyle = context.fillStyle = band.outside ? colours.outside : colours.ink;
  context.beginPath();
  if (band.verdict === "hit") {
    context.arc(x, y, reach, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.moveTo(x - reach, y - reach);
  context.lineTo(x + reach, y + reach);
  context.moveTo(x - reach, y + reach);
  context.lineTo(x + reach, y - reach);
  context.stroke();
}
