// Which tickers the list shows, in which order. Pinned ones come first, those without a prediction last.

const by = (value) => (one, other) => value(other.prediction) - value(one.prediction);
const SCORES = {
  expected: by((prediction) => prediction.expected_return),
  chance: by((prediction) => prediction.p_up),
  price: by((prediction) => prediction.price),
  interval: by(({ price, interval }) => (interval.p90 - interval.p10) / price),
};
const byTicker = (one, other) => (one.ticker < other.ticker ? -1 : one.ticker > other.ticker ? 1 : 0);

// Live columns move by themselves: the list is put in order anew from time to time, not with each quote.
export const isLive = (column) => column in SCORES;

export function ordered(entries, { search, column, descending, pins }) {
  const wanted = search.trim().toUpperCase();
  const found = wanted ? entries.filter((entry) => matches(entry, wanted)) : [...entries];
  const compare = SCORES[column] ?? ((one, other) => -byTicker(one, other));
  const sign = descending ? 1 : -1;
  return found.sort(
    (one, other) =>
      pins.has(other.ticker) - pins.has(one.ticker) ||
      (other.prediction !== null) - (one.prediction !== null) ||
      (one.prediction ? sign * compare(one, other) : 0) ||
      byTicker(one, other)
  );
}

const matches = ({ ticker, name }, wanted) => ticker.includes(wanted) || name.toUpperCase().includes(wanted);
