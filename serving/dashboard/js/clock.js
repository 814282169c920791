// The server's time: ages are told by its clock, so that a browser whose clock is wrong calls nothing fresh or stale.

const TRUSTED_MS = 2000;
let offset = 0;

export const now = () => Date.now() + offset;
export const secondsSince = (iso) => (now() - Date.parse(iso)) / 1000;

export function heard(time) {
  const difference = Date.parse(time) - Date.now();
  if (Number.isFinite(difference)) offset = Math.abs(difference) > TRUSTED_MS ? difference : 0;
}
