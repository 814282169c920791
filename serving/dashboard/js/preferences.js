// What a reader chose, kept in this browser. A browser that keeps nothing is served all the same.

export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`riskee.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(`riskee.${name}`, JSON.stringify(value));
  } catch {
    // Private windows and full storages refuse: the choice then lasts as long as the page.
  }
}
