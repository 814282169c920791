// The API key, asked for where the API wants one.

import { byId, writeWords } from "./dom.js";
import * as credential from "./credential.js";

export class KeyDialog extends EventTarget {
  #dialog = byId("key-dialog");
  #input = byId("key");

  constructor() {
    super();
    byId("key-form").addEventListener("submit", (event) => this.#enter(event));
    byId("forget-key").addEventListener("click", () => this.#forget());
    byId("enter-key").addEventListener("click", () => this.#dialog.showModal());
    this.#show();
  }

  ask(problem) {
    const asked = "This API asks for a key. `riskee keys create` makes one.";
    writeWords(byId("key-why"), credential.known() ? `The key was not taken: ${problem.message}.` : asked);
    byId("key-banner").hidden = false;
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  // The API answers, with a key or without.
  taken() {
    byId("key-banner").hidden = true;
  }

  #enter(event) {
    event.preventDefault();
    const key = this.#input.value.trim();
    if (!credential.isToken(key)) {
      writeWords(byId("key-why"), "This is no API key: it holds a character that no key has.");
      return;
    }
    credential.enter(key);
    this.#input.value = "";
    this.#dialog.close();
    this.#show();
    this.dispatchEvent(new Event("changed"));
  }

  #forget() {
    credential.forget();
    this.#show();
    this.dispatchEvent(new Event("changed"));
  }

  #show() {
    byId("forget-key").hidden = !credential.known();
  }
}
