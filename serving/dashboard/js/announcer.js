// What a reader who does not see the page is told. The same words twice are said twice.

import { byId } from "./dom.js";

export function announce(text) {
  const region = byId("announcer");
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}
