// The API key, for as long as the tab is open. It travels in a header or a subprotocol, never in an address.

const NAME = "riskee.key";
// What a subprotocol may be made of (RFC 9110's token).
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
let current = sessionStorage.getItem(NAME) ?? "";

export const isToken = (key) => TOKEN.test(key);

export function enter(key) {
  current = key;
  sessionStorage.setItem(NAME, key);
}

export function forget() {
  current = "";
  sessionStorage.removeItem(NAME);
}

export const known = () => current !== "";
export const headers = () => (current ? { Authorization: `Bearer ${current}` } : {});
export const protocols = () => (current ? ["riskee.v1", `riskee.bearer.${current}`] : ["riskee.v1"]);
