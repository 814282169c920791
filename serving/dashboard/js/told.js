// What is known of the explanations of one ticker: the last answer or the last problem, `own`: the question that was
// asked here and has no answer yet, `isKept`: whether the last question's answer was there already, and the works that
// go on, by the prediction that each is about.

const ASKED = { stage: "asked", tokens: 0, sentences: [] };

export class Told {
  answer = null;
  problem = null;
  own = null;
  isKept = false;
  works = new Map();

  // The one that was begun last.
  get work() {
    return [...this.works.values()].at(-1) ?? (this.own ? ASKED : null);
  }

  ends(about) {
    clearTimeout(this.works.get(about)?.silent);
    this.works.delete(about);
    if (this.own?.about === about) this.own = null;
  }

  shows({ explanation_id: identity }) {
    return this.answer?.explanation_id === identity;
  }
}
