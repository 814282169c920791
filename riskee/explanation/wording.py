"""The words by which verification recognises a claim. Lists of words, no judgement."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RISING = _words(
    "up upward upwards upside rise rises rising rose risen raise raises raised raising increase increases increased "
    "increasing gain gains gained gaining higher high climb climbs climbed climbing grow grows grew grown growing "
    "growth improve improves improved improving lift lifts lifted lifting boost boosts boosted boosting bullish "
    "positive rally rallies rallied strengthen strengthened stronger jump jumps jumped advance advanced advances "
    "recover recovered recovery surge surged surges soared soar above support supports supported supporting "
    "accelerate accelerated accelerating expand expanded expanding overbought"
)
FALLING = _words(
    "down downward downwards downside fall falls falling fell fallen decrease decreases decreased decreasing decline "
    "declines declined declining lower low drop drops dropped dropping shrink shrank shrunk shrinking worsen worsened "
    "worsening loss losses lose loses lost losing bearish negative weaken weakened weaker weakening weak slump slumped "
    "sink sank sunk plunge plunged plunges crash crashed reduce reduces reduced reducing below drag drags dragged "
    "dragging slow slowed slower slowing contract contracted contracting oversold pull pulls pulled pulling"
)
NEGATION = _words(
    "not no never none neither nor without despite hardly barely cannot can't don't doesn't didn't won't isn't aren't "
    "wasn't weren't fails failed lacks lacked unlike unlikely rather instead"
)
# Splits a sentence into parts that may each go their own way.
CONTRAST = re.compile(
    r"[,.](?!\d)|[;:]|\b(?:while|but|whereas|although|though|however|and|as|after|before|when)\b", re.IGNORECASE
)

ADVICE = re.compile(
    r"\b(?:buy\w*|bought|sell\w*|sold|purchas\w*|invest|invests|investing|invested|recommend\w*|advis\w*|advice|should|"
    r"must|ought|consider\w*|opportunit\w*|short(?:ing|ed)?|go(?:ing)? long|hold(?:ing)?|accumulat\w*|bet|bets|"
    r"take profits?|portfolio)\b",
    re.IGNORECASE,
)
CERTAINTY = re.compile(
    r"\b(?:guarante\w*|certain\w*|definite\w*|surely|undoubted\w*|no doubt|always|risk[- ]free|sure|inevitabl\w*|"
    r"proves?|proven|100)\b",
    re.IGNORECASE,
)
# What a text says that speaks of itself, of its instructions, or to the reader's machine.
META = re.compile(
    r"https?:|www\.|[<>{}\[\]`|\\@#*_=]|\b(?:instruct\w*|ignore\w*|disregard\w*|prompt|json|assistant|language model|"
    r"chatbot|password|api key|previous(?:ly)? (?:text|message)|document|system|override|click|visit|"
    r"subscribe|as an ai)\b",
    re.IGNORECASE,
)
# Claims about the future: documents report the past, and no document moved the forecast.
FORECAST = re.compile(r"\b(?:forecast\w*|predict\w*|expect\w*|outlook|the model|next close|will)\b", re.IGNORECASE)

_SMALL = "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
NUMBER_WORDS = _words(
    f"{_SMALL} eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand "
    "thousands million millions billion billions trillion dozen dozens percent percentage half double doubled triple "
    "tripled twice thrice quarterfold tenfold twofold threefold"
)

VERBS = _words(
    "is are was were has have had did does do rose fell lost gained grew shrank went came made beat met sank "
    "swung hit cut began stood held kept led remained became said says shows showed reports crossed"
)

STOP_WORDS = _words(
    "a an the this that these those it its it's their there they he she his her we our you your of in on at by for "
    "from to with into over under within during through about between among against per than then so such same other "
    "another one some any each every all both more most less least very much many few also too only just even still "
    "yet and or but while whereas although though however as after before when since until because due is are was "
    "were be been being has have had having do does did can could may might would which who whom whose what where how "
    "if says said say report reports reported reporting states stated state shows showed shown show indicates "
    "indicated indicate suggests suggested suggest notes noted described describes means mentions mentioned"
)

_WORD = re.compile(r"[A-Za-z][A-Za-z'’&-]*")


def words(text: str) -> list[str]:
    """The words of a text in small letters, in order."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def has_verb(text: str) -> bool:
    """Whether a text reads like a sentence in the past tense rather than a heading."""
    return any(word in VERBS or (word.endswith("ed") and len(word) > 4) for word in words(text))


def has_negation(text: str) -> bool:
    """Whether a text says that something is not so."""
    return not NEGATION.isdisjoint(words(text))


def stem(word: str) -> str:
    """A word without its commonest endings, so that `prices` meets `price` and `crossed` meets `crosses`."""
    word = word.removesuffix("'s")
    for ending in ("ings", "ing", "edly", "ies", "ied", "ed", "es", "ly", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def content(text: str) -> set[str]:
    """The stems of the words that carry meaning."""
    return {stem(word) for word in words(text) if word not in STOP_WORDS}


def polarity(text: str) -> set[int]:
    """The directions that a text speaks of: +1, -1, both or none."""
    found = set(words(text))
    return ({1} if found & RISING else set()) | ({-1} if found & FALLING else set())
