// The connection over which predictions come. It is made anew where it breaks, and goes on where it was.

import { heard } from "./clock.js";
import { protocols } from "./credential.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
// More than two heartbeats that did not come: a connection may be dead without saying so.
const SILENT_AFTER_MS = 35_000;

export class Stream extends EventTarget {
  #pause = FIRST_PAUSE_MS;
  // How far it was read, so that the next connection goes on from there: null until all was sent once.
  #read = null;
  #epoch = "";
  // Whether this connection has told everything, so that only what is new will come.
  #complete = false;
  #refused = "";
  // Whether it waits for a key, without which each try would be refused.
  #held = false;
  #socket = null;
  #timer = 0;
  #watch = 0;

  // Whoever calls it again does not wait for the next try.
  connect() {
    clearTimeout(this.#timer);
    if (this.#socket) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/stream`, protocols());
    this.#socket = socket;
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      this.#complete = false;
      const resume = this.#read ? { resume: this.#read } : {};
      socket.send(JSON.stringify({ type: "subscribe", tickers: ["*"], ...resume }));
      this.#listen();
    });
    socket.addEventListener("message", (event) => this.#receive(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => this.#lost(opened, this.#refused || event.reason));
  }

  // As after a change of the key: the next connection is another's.
  reset() {
    this.#pause = FIRST_PAUSE_MS;
    this.#read = null;
    this.#held = false;
    if (this.#socket) this.#socket.close();
    else this.connect();
  }

  // No more tries until the next `reset`.
  hold() {
    this.#held = true;
    clearTimeout(this.#timer);
    this.#tell("held");
  }

  #receive(message) {
    this.#listen();
    if (message.type === "heartbeat") heard(message.time);
    if (message.type === "error" && !this.#complete) this.#refuse(message.problem);
    this.#note(message);
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #note({ type, sequence, epoch, resumed }) {
    if (type === "subscribed") {
      this.#epoch = epoch;
      if (!resumed) this.#read = null;
    }
    if (type === "complete") this.#read = { epoch: this.#epoch, sequence };
    else if (this.#read) this.#read.sequence = Math.max(this.#read.sequence, sequence);
    if (type === "complete" || resumed) this.#begun();
  }

  #begun() {
    this.#complete = true;
    this.#pause = FIRST_PAUSE_MS;
    this.#tell("live");
  }

  // The subscription could not be made: the next connection asks for it again.
  #refuse({ detail, title }) {
    this.#refused = detail || title;
    this.#socket?.close();
  }

  #listen() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#socket?.close(), SILENT_AFTER_MS);
  }

  #lost(opened, reason) {
    clearTimeout(this.#watch);
    this.#socket = null;
    if (this.#held) {
      this.#tell("held");
      return;
    }
    this.#timer = setTimeout(() => this.connect(), this.#pause);
    this.#tell("lost", { opened, reason, again: this.#pause / 1000 });
    this.#refused = "";
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
  }

  #tell(state, more = {}) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, ...more } }));
  }
}
