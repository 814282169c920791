// A rate with its interval of 95 % on a scale, beside the value that it is compared with.

import { shape } from "./dom.js";
import { percent } from "./format.js";

const WIDTH = 240;
const HEIGHT = 26;
const MARGIN = 0.1;

export function whisker({ value, low, high, reference, label }) {
  const ends = [value, low ?? value, high ?? value, reference];
  const [from, to] = [Math.min(...ends), Math.max(...ends)];
  const spare = Math.max(0.01, (to - from) * MARGIN);
  const x = (share) => (WIDTH * (share - from + spare)) / (to - from + 2 * spare);
  const middle = HEIGHT / 2;
  const parts = [
    shape("line", { x1: 0, x2: WIDTH, y1: middle, y2: middle, class: "axis" }),
    shape("line", { x1: x(reference), x2: x(reference), y1: 2, y2: HEIGHT - 2, class: "reference" }),
  ];
  if (low !== undefined) {
    parts.push(shape("line", { x1: x(low), x2: x(high), y1: middle, y2: middle, class: "interval" }));
    for (const end of [low, high]) {
      parts.push(shape("line", { x1: x(end), x2: x(end), y1: middle - 5, y2: middle + 5, class: "interval end" }));
    }
  }
  parts.push(shape("circle", { cx: x(value), cy: middle, r: 4.5, class: "value" }));
  const said = low === undefined ? percent(value) : `${percent(value)}, between ${percent(low)} and ${percent(high)}`;
  return shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "xMinYMid", role: "img", "aria-label": `${label}: ${said}`, class: "whisker" }, ...parts);
}
