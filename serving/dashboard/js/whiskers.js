// A rate with its interval of 95%, beside the value that it is compared with. All share one scale, from 0 to 100%, so
// that what looks wide is uncertain.

import { shape } from "./dom.js";
import { percent } from "./format.js";

const WIDTH = 240;
const HEIGHT = 36;
const MIDDLE = 12;
// Room for half a circle at either end.
const EDGE = 5;
const MARKED = [0, 0.5, 1];
const ANCHORS = ["start", "middle", "end"];

const x = (share) => EDGE + (WIDTH - 2 * EDGE) * share;

export function whisker({ value, low, high, reference, label }) {
  const parts = [
    shape("line", { x1: x(0), x2: x(1), y1: MIDDLE, y2: MIDDLE, class: "axis" }),
    ...MARKED.flatMap(mark),
    shape("line", { x1: x(reference), x2: x(reference), y1: 1, y2: 2 * MIDDLE - 1, class: "reference" }),
  ];
  if (low !== undefined) {
    parts.push(shape("line", { x1: x(low), x2: x(high), y1: MIDDLE, y2: MIDDLE, class: "interval" }));
    for (const end of [low, high]) {
      parts.push(shape("line", { x1: x(end), x2: x(end), y1: MIDDLE - 5, y2: MIDDLE + 5, class: "interval end" }));
    }
  }
  parts.push(shape("circle", { cx: x(value), cy: MIDDLE, r: 4.5, class: "value" }));
  const said = low === undefined ? percent(value) : `${percent(value)}, between ${percent(low)} and ${percent(high)}`;
  return shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "xMinYMid", role: "img", "aria-label": `${label}: ${said}`, class: "whisker" }, ...parts);
}

function mark(share, place) {
  return [
    shape("line", { x1: x(share), x2: x(share), y1: MIDDLE - 3, y2: MIDDLE + 3, class: "axis" }),
    shape("text", { x: x(share), y: HEIGHT - 2, "text-anchor": ANCHORS[place], class: "caption" }, percent(share, 0)),
  ];
}
