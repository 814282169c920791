// A document that an explanation cites, as the API has it. What it says is somebody else's text, and shown as text only.

import * as api from "./api.js";
import { byId, element, link, write, writeWords } from "./dom.js";
import { moment } from "./format.js";

const PATH = /^\/v1\/documents\/[\w-]+$/;

// A link to the document in the API. A click reads it here: the link alone would not carry the key.
export function documentLink({ url }, text) {
  if (!PATH.test(url ?? "")) return link(url, text);
  const made = element("a", "", text);
  made.href = url;
  made.addEventListener("click", (event) => {
    event.preventDefault();
    open(url, text);
  });
  return made;
}

// How often a document was opened: an answer that comes after the next opening is not shown under its title.
let opened = 0;

async function open(path, title) {
  opened += 1;
  const mine = opened;
  write(byId("document-title"), title);
  write(byId("document-origin"), "");
  write(byId("document-body"), "Loading …");
  byId("document-dialog").showModal();
  try {
    const found = await api.document(path);
    if (mine !== opened) return;
    const parts = [`${found.source}, ${moment(found.published_at)}`];
    const publisher = link(found.url, "at its publisher");
    if (publisher.href) parts.push(" · ", publisher);
    byId("document-origin").replaceChildren(...parts);
    write(byId("document-body"), found.body);
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    if (mine === opened) writeWords(byId("document-body"), problem.told);
  }
}
