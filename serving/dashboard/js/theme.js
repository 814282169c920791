// Light or dark: as the system has it, until the reader chooses.

import { keep, recall } from "./preferences.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];

export const current = () => recall("theme", null) ?? (dark.matches ? "dark" : "light");

export function onChange(listener) {
  listeners.push(listener);
}

function apply() {
  document.documentElement.dataset.theme = current();
  listeners.forEach((listener) => listener(current()));
}

export function toggle() {
  keep("theme", current() === "dark" ? "light" : "dark");
  apply();
  return current();
}

// The value of a variable of the style sheet, for what is drawn on a canvas.
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

dark.addEventListener("change", apply);
apply();
