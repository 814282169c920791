// The API key, asked for where the API wants one.

import { byId, write } from "./dom.js";
import * as credential from "./credential.js";

export class KeyDialog extends EventTarget {
  #dialog = byId("key-dialog");
  #input = byId("key");

  constructor() {
    super();
    byId("key-form").addEventListener("submit", (event) => this.#enter(event));
    byId("forget-key").addEventListener("click", () => this.#forget());
    this.#show();
  }

  ask(problem) {
    write(byId("key-why"), credential.known() ? `The key was not taken: ${problem.message}` : problem.message);
    write(byId("key-step"), problem.nextStep);
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  #enter(event) {
    event.preventDefault();
    const key = this.#input.value.trim();
    if (!credential.isToken(key)) {
      write(byId("key-why"), "This is no API key: it holds a character that no key has.");
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
