// The past of a ticker as the chart shows it: of each session the last prediction, beside what came of it.

const DAY_MS = 86_400_000;

// Where the exchange's calendar is not known: the next weekday.
function nextWeekday(day) {
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS);
  while (next.getUTCDay() === 0 || next.getUTCDay() === 6) next.setTime(next.getTime() + DAY_MS);
  return next.toISOString().slice(0, 10);
}

// `hit`, `miss`, or `open` while nobody knows; `outside` where the price left the interval.
function verdict(outcome) {
  return outcome ? { verdict: outcome.hit ? "hit" : "miss", outside: !outcome.inside } : { verdict: "open", outside: false };
}

// `ahead`: its session has not come yet.
export function bandOf(prediction, outcome, target, ahead) {
  const { interval, predicted_price: predicted, price, p_up: chance } = prediction;
  const came = outcome ? price * Math.exp(outcome.realised_return) : null;
  return { time: target, ahead, low: interval.p10, high: interval.p90, predicted, chance, from: price, came, ...verdict(outcome) };
}

export const newestOf = (predictions) =>
  predictions.reduce((one, other) => (Date.parse(other.prediction_time) > Date.parse(one.prediction_time) ? other : one));

// The session that a prediction is for; where the calendar is not known, that of the prediction that follows it.
function targetOf({ for_session: target, outcome, session_date: made }, following) {
  return outcome?.session ?? target ?? following?.session_date ?? nextWeekday(made);
}

// From the API's answer, the newest first, to prices, bands in the order of time, and the session that comes next. A
// replay tells the same sessions again in each pass: only the newest one's are shown.
export function drawn(predictions) {
  const newest = newestOf(predictions);
  const ofSession = new Map();
  for (const each of predictions) {
    if (each.feed === newest.feed && !ofSession.has(each.session_date)) ofSession.set(each.session_date, each);
  }
  const inOrder = [...ofSession.values()].sort((one, other) => (one.session_date < other.session_date ? -1 : 1));
  const prices = inOrder.map(({ session_date: time, price }) => ({ time, value: price }));
  const last = inOrder.at(-1);
  const bands = inOrder.map((each, place) =>
    bandOf(each, each.outcome, targetOf(each, inOrder[place + 1]), each === last && !each.outcome)
  );
  return { prices, bands: [...new Map(bands.map((band) => [band.time, band])).values()], coming: targetOf(last) };
}

export function counted(bands) {
  const settled = bands.filter(({ verdict }) => verdict !== "open");
  return {
    settled: settled.length,
    open: bands.length - settled.length,
    hits: settled.filter(({ verdict }) => verdict === "hit").length,
    inside: settled.filter(({ outside }) => !outside).length,
  };
}
