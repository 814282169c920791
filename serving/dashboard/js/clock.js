// The server's time: ages are told by its clock, so that a browser whose clock is wrong calls nothing fresh or stale.

import { clockTime, moment } from "./format.js";

const TRUSTED_MS = 2000;
let offset = 0;

export const now = () => Date.now() + offset;
export const secondsSince = (iso) => (now() - Date.parse(iso)) / 1000;

// A moment of today by the time, another with its day: what is told again from the past has been so for long.
export const momentOf = (iso) => (new Date(now()).toISOString().slice(0, 10) === iso.slice(0, 10) ? clockTime(iso) : moment(iso));

export function heard(time) {
  const difference = Date.parse(time) - Date.now();
  if (Number.isFinite(difference)) offset = Math.abs(difference) > TRUSTED_MS ? difference : 0;
}
