// How often the price rose where a rise was given a chance: on the diagonal where the chances are true.

import { shape } from "./dom.js";
import { count, percent } from "./format.js";

const SIZE = 220;
const EDGE = 30;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

// The scale is of the chances that were given, with room for the intervals that are worth seeing.
function scaleOf(bins) {
  const ends = bins.flatMap(({ p_mean: p, rose }) => [p, rose]);
  const from = Math.max(0, Math.floor(10 * (Math.min(...ends) - 0.05)) / 10);
  const to = Math.min(1, Math.ceil(10 * (Math.max(...ends) + 0.05)) / 10);
  return (share) => EDGE + ((SIZE - 2 * EDGE) * (Math.min(to, Math.max(from, share)) - from)) / (to - from);
}

export function calibrationPlot(bins) {
  const x = scaleOf(bins);
  const y = (share) => SIZE - x(share);
  const [near, far] = [EDGE, SIZE - EDGE];
  const parts = [
    shape("rect", { x: near, y: near, width: far - near, height: far - near, class: "frame" }),
    shape("line", { x1: near, y1: far, x2: far, y2: near, class: "reference" }),
  ];
  for (const tick of TICKS.concat([0.4, 0.6]).filter((each) => x(each) > near - 1 && x(each) < far + 1 && distinct(each, x))) {
    parts.push(caption(x(tick), far + 14, "middle", percent(tick, 0)), caption(near - 5, y(tick) + 3, "end", percent(tick, 0)));
  }
  for (const bin of bins) parts.push(...dot(bin, x, y));
  const said = bins.map(({ p_mean: p, n, rose }) => `${percent(p, 0)} given, ${percent(rose, 0)} rose, of ${count(n)}`).join("; ");
  return shape("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": `Calibration: ${said}`, class: "calibration" }, ...parts);
}

// At the ends of the scale other values are pressed to the edge: they are not its ticks.
const distinct = (tick, x) => x(tick + 1e-6) !== x(tick) || x(tick - 1e-6) !== x(tick);
const caption = (x, y, anchor, text) => shape("text", { x, y, "text-anchor": anchor, class: "caption" }, text);

function dot({ p_mean: p, n, rose, rose_low: low, rose_high: high }, x, y) {
  const note = shape("title", {}, `given ${percent(p)}, rose ${percent(rose)} of ${count(n)}`);
  return [
    shape("line", { x1: x(p), x2: x(p), y1: y(low ?? rose), y2: y(high ?? rose), class: "interval" }),
    shape("circle", { cx: x(p), cy: y(rose), r: 3 + Math.min(4, Math.log10(n)), class: "value" }, note),
  ];
}
