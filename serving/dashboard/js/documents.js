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

async function open(path, title) {
  write(byId("document-title"), title);
  write(byId("document-origin"), "");
  write(byId("document-body"), "Loading …");
  byId("document-dialog").showModal();
  try {
    const found = await api.document(path);
    const parts = [`${found.source}, ${moment(found.published_at)}`];
    const publisher = link(found.url, "at its publisher");
    if (publisher.href) parts.push(" · ", publisher);
    byId("document-origin").replaceChildren(...parts);
    write(byId("document-body"), found.body);
  } catch (problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    writeWords(byId("document-body"), problem.told);
  }
}
