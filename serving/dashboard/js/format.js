// Numbers, times and names as a reader expects them.

const MINUS = "−";
const prices = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const counts = new Intl.NumberFormat("en");

export const price = (value) => prices.format(value);
export const count = (value) => counts.format(value);
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;
// Names that would say little to a reader.
const PLAIN = { predict_silent: "predictor not heard" };
export const words = (name) => PLAIN[name] ?? name.replaceAll("_", " ");
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
// A cause or a next step, as the API writes it: without its capital and its point.
export const asSentence = (text) => (text ? `${sentence(text)}.`.replace(/\.\.$/, ".") : "");
export const clockTime = (iso) => `${iso.slice(11, 19)} UTC`;
export const moment = (iso) => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
export const day = (iso) => iso.slice(0, 10);

export function signed(value, digits = 2) {
  const size = Math.abs(value).toFixed(digits);
  return Number(size) === 0 ? size : (value > 0 ? "+" : MINUS) + size;
}

// A log return as the change of the price that it stands for.
export const change = (logReturn, digits = 2) => `${signed(100 * Math.expm1(logReturn), digits)}%`;

// Which way a return points, as it is shown: never told by colour alone.
const SHOWN = 0.00005;
export const direction = (value) => (value >= SHOWN ? "up" : value <= -SHOWN ? "down" : "flat");

// The likelier way, by the probability of a rise: hits are counted of this one. The expected move is a mean, and may
// point the other way where both are about even.
export const likelier = (chance) => (chance >= 0.5 ? "up" : "down");
export const arrow = (chance) => ({ up: "▲", down: "▼" })[likelier(chance)];

export function age(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}
