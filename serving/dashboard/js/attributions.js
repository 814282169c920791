// What moved a prediction, as signed bars: to the right what pushed it up, to the left what pulled it down.

import { element } from "./dom.js";
import { change, direction, sentence, words } from "./format.js";

export function attributionBars(drivers) {
  const widest = Math.max(...drivers.map(({ contribution }) => Math.abs(contribution)), 1e-9);
  return drivers.map((driver) => {
    const way = direction(driver.contribution);
    const bar = element("i", driver.contribution < 0 ? "down" : "up");
    bar.style.width = `${(50 * Math.abs(driver.contribution)) / widest}%`;
    const feature = [driver.label || words(driver.feature), driver.shown || "not known"].join(": ");
    return element(
      "li",
      "",
      element("span", "driver", sentence(driver.name), element("small", "", feature)),
      element("span", "signed-bar", bar),
      element("span", `contribution ${way}`, change(driver.contribution))
    );
  });
}
