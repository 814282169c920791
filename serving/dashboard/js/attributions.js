// What moved a prediction, as signed bars: to the right what pushed it up, to the left what pulled it down.

import { element } from "./dom.js";
import { change, direction, sentence, signed, words } from "./format.js";

// The value of the group's strongest feature, as a reader says its unit.
const MEASURES = {
  "%": (value) => `${signed(100 * value)} %`,
  times: (value) => `${value.toFixed(2)} times`,
  sessions: (value) => `${value.toFixed(0)} sessions`,
  points: (value) => `${value.toFixed(0)} points`,
};

function measured({ value, unit }) {
  if (value === null) return "not known";
  return MEASURES[unit]?.(value) ?? signed(value);
}

export function attributionBars(drivers) {
  const widest = Math.max(...drivers.map(({ contribution }) => Math.abs(contribution)), 1e-9);
  return drivers.map((driver) => {
    const way = direction(driver.contribution);
    const bar = element("i", driver.contribution < 0 ? "down" : "up");
    bar.style.width = `${(50 * Math.abs(driver.contribution)) / widest}%`;
    const feature = `${driver.label || words(driver.feature)}: ${measured(driver)}`;
    return element(
      "li",
      "",
      element("span", "driver", sentence(driver.name), element("small", "", feature)),
      element("span", "signed-bar", bar),
      element("span", `contribution ${way}`, change(driver.contribution))
    );
  });
}
