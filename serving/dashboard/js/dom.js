// Elements. What comes from outside only ever becomes text: nothing here takes markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function shape(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Writes only what differs: a text node that stays as it is costs no layout.
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A text whose commands stand between backticks, as the API writes them.
export function writeWords(node, text) {
  if (node.textContent === text.replaceAll("`", "")) return;
  node.replaceChildren(...text.split("`").map((part, place) => (place % 2 ? element("code", "", part) : part)));
}

// A text whose paragraphs end with a blank line.
export function writeParagraphs(node, text) {
  const shown = [...node.children].map(({ textContent }) => textContent).join("\n\n");
  if (shown !== text) node.replaceChildren(...text.split("\n\n").map((each) => element("p", "", each)));
}

// A link that is followed in a new tab, or plain text where the address is none of the web's.
export function link(address, text) {
  const url = URL.parse(address ?? "", location.href);
  if (!url || !["http:", "https:"].includes(url.protocol)) return element("span", "", text);
  const made = element("a", "", text);
  made.href = url.href;
  made.rel = "noopener noreferrer nofollow";
  made.target = "_blank";
  return made;
}
