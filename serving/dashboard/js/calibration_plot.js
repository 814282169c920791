// How often the price rose where a rise was given a chance: on the dashed line where the chances are true.

import { shape } from "./dom.js";
import { count, percent } from "./format.js";

const SIZE = 220;
const EDGE = 34;
// Chances are mostly near one half: each axis shows what there is, with room around it.
const SPARE = 0.02;
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.25, 0.5];
const TICKS = 4;

// From a share to its place on an axis, and the ticks of the axis.
function axisOf(shares) {
  const from = Math.max(0, Math.min(...shares) - SPARE);
  const to = Math.min(1, Math.max(...shares) + SPARE);
  const step = STEPS.find((each) => (to - from) / each <= TICKS) ?? 1;
  const ticks = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to + 1e-9; tick += step) ticks.push(tick);
  const place = (share) => EDGE + ((SIZE - 2 * EDGE) * (share - from)) / (to - from);
  return { from, to, ticks, place };
}

export function calibrationPlot(bins) {
  const across = axisOf(bins.map(({ p_mean: p }) => p));
  const up = axisOf(bins.flatMap(({ p_mean: p, rose, rose_low: low, rose_high: high }) => [p, rose, low ?? rose, high ?? rose]));
  const x = across.place;
  const y = (share) => SIZE - up.place(share);
  const [near, far] = [EDGE, SIZE - EDGE];
  const [from, to] = [Math.max(across.from, up.from), Math.min(across.to, up.to)];
  const parts = [
    shape("rect", { x: near, y: near, width: far - near, height: far - near, class: "frame" }),
    shape("line", { x1: x(from), y1: y(from), x2: x(to), y2: y(to), class: "reference" }),
    ...across.ticks.map((tick) => caption(x(tick), far + 14, "middle", percent(tick, 0))),
    ...up.ticks.map((tick) => caption(near - 5, y(tick) + 3, "end", percent(tick, 0))),
    ...bins.flatMap((bin) => dot(bin, x, y)),
  ];
  const said = bins.map(({ p_mean: p, n, rose }) => `${percent(p, 0)} given, ${percent(rose, 0)} rose, of ${count(n)}`).join("; ");
  return shape("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": `Calibration: ${said}`, class: "calibration" }, ...parts);
}

const caption = (x, y, anchor, text) => shape("text", { x, y, "text-anchor": anchor, class: "caption" }, text);

function dot({ p_mean: p, n, rose, rose_low: low, rose_high: high }, x, y) {
  const note = shape("title", {}, `given ${percent(p)}, rose ${percent(rose)} of ${count(n)}`);
  return [
    shape("line", { x1: x(p), x2: x(p), y1: y(low ?? rose), y2: y(high ?? rose), class: "interval" }),
    shape("circle", { cx: x(p), cy: y(rose), r: 2.5 + Math.min(4, Math.log10(n)), class: "value" }, note),
  ];
}
