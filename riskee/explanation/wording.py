"""The words by which verification recognises a claim. Lists of words, no judgement."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Plain moves: any of them may stand for another of the same direction.
MOVES_UP = _words(
    "up upward upwards rise rises rising rose risen increase increases increased increasing gain gains gained gaining "
    "higher climb climbs climbed climbing grow grows grew grown growing growth"
)
MOVES_DOWN = _words(
    "down downward downwards fall falls falling fell fallen decrease decreases decreased decreasing decline declines "
    "declined declining lower drop drops dropped dropping loss losses lose loses lost losing slip slips slipped"
)
RISING = MOVES_UP | _words(
    "upside raise raises raised raising high improve improves improved improving lift lifts lifted lifting boost "
    "boosts boosted boosting bullish positive rally rallies rallied strengthen strengthened stronger jump jumps jumped "
    "advance advanced advances recover recovered recovery surge surged surges soared soar above support supports "
    "supported supporting accelerate accelerated accelerating expand expanded expanding overbought rebound rebounded"
)
FALLING = MOVES_DOWN | _words(
    "downside low shrink shrank shrunk shrinking worsen worsened worsening bearish negative weaken weakened weaker "
    "weakening weak slump slumped sink sank sunk plunge plunged plunges crash crashed reduce reduces reduced reducing "
    "below drag drags dragged dragging slow slowed slower slowing contract contracted contracting oversold pull pulls "
    "pulled pulling lowered lowers lowering tumble tumbled collapse collapsed"
)
NEGATION = _words(
    "not no never none neither nor nothing nobody without despite hardly barely scarcely cannot can't don't doesn't "
    "didn't won't isn't aren't wasn't weren't couldn't wouldn't shouldn't hasn't haven't hadn't fail fails failed "
    "failing lack lacks lacked unlike unlikely rather instead avoid avoids avoided stop stops stopped cease ceased "
    "halt halted erase erased reverse reversed refuse refused deny denied unable untrue false except excluding"
)
# Words by which a statement is somebody's, not a fact.
_SAID = (
    r"said|says?|saying|according to|claim(?:s|ed|ing)?|suggest\w*|suspect\w*|alleg\w*|reportedly|told|argu\w*|"
    r"believe\w*|rumou?r\w*|wrongly|falsely"
)
# What is only possible, wanted, tried, denied, said by somebody or said of the future is no fact.
HYPOTHETICAL = re.compile(
    rf"\b(?:{_SAID}|could|(?-i:may)|might|would|will|shall|should|if|unless|whether|expect\w*|forecast\w*|predict\w*|"
    r"plan\w*|hope\w*|aim\w*|target\w*|guid(?:e|ed|ance)|likely|probably|possibl\w*|perhaps|going to|set to|poised|"
    r"anticipat\w*|outlook|project(?:s|ed|ing)|potential\w*|about to|head(?:ed|ing) for|on track|on course|bound for|"
    r"verge|accus\w*|cleared|acquitted|delay\w*|postpon\w*|nearly|almost|far from|close to|wrong|false|mistaken\w*|"
    r"deny|den(?:ies|ied)|attempt\w*|tri(?:ed|es) to|sought|seek\w*|want\w*|threat\w*|offer(?:s|ed) to|propos\w*|"
    r"agreed to|declin(?:e|es|ed) to|so-called|seem\w*|appear\w*|suppos\w*|urg\w*|ask\w*|warn\w*|fear\w*)\b|\?",
    re.IGNORECASE,
)
# What makes all of its sentence somebody's word, wherever it stands.
ATTRIBUTION = re.compile(rf"\b(?:{_SAID})\b|\bexpect(?:s|ed)?\W*$", re.IGNORECASE)
# Where a sentence divides into parts that may each go their own way.
PARTS = re.compile(
    r"\s*(?:[,;](?!\d)|:(?=\s+[A-Za-z]))\s*(?:and\s+|but\s+|while\s+|yet\s+)?|"
    r"\s+(?:while|but|whereas|although|though|however|yet|and)\s+",
    re.IGNORECASE,
)
# Between two commas they divide nothing: traffic, however, declined.
ASIDES = re.compile(
    r",\s+(?:however|though|meanwhile|moreover|by contrast|of course|as well|too)\s*,",
    re.IGNORECASE,
)
PREPOSITIONS = _words(
    "over in on at for with within since during after before against by from to under of through among per versus"
)
PRONOUNS = _words("it they this that these those he she which who")
DETERMINERS = _words("the a an its their his her our this that these those of any every each no")

ADVICE = re.compile(
    r"\b(?:b\W?u\W?y(?:s|ing|er|ers)?|bought|s\W?e\W?l\W?l(?:s|ing)?|purchas\w*|invest|invests|investing|invested|"
    r"investors?|traders?|recommend\w*|advis\w*|advice|should|must|ought|consider(?!abl)\w*|opportunit\w*|short(?:ing|ed)?"
    r"(?!-| interest)|go(?:es|ing)? long|hold(?:ing|ers?)?|accumulat\w*|bet|bets|take profits?|portfolio|"
    r"(?<!cash )(?<!market )(?<!competitive )positions?|"
    r"stakes?|worth|worthy|load(?:ing)? up|back up the|exit\w*|trim\w*|dump\w*|grab\w*|"
    r"get(?:ting)? (?:in|out)|"
    r"cash (?:in|out)|cut your|cheap\w*|bargain\w*|undervalued|overvalued|attractive\w*|entry|overweight|underweight|"
    r"steer|stay away|avoid|wise|smart|deserves?|merits?|(?<!its )(?<!their )own|miss|time to|do well to|want to|safe|"
    r"you|your|yours|let|"
    r"upgrad\w*|downgrad\w*|outperform\w*|underperform\w*|a steal|no-brainers?|picks?|retirement|must-have|must-own|"
    r"pil(?:e|es|ed|ing) (?:in|into)|flock\w*|rush\w*|hurry|everyone|everybody|on sale|today only|last chance|"
    r"kaufen|verkaufen|comprar|vender|acheter|vendre|comprare|vendere)\b",
    re.IGNORECASE,
)
CERTAINTY = re.compile(
    r"\b(?:guarante\w*|certain\w*|definite\w*|surely|undoubted\w*|doubt\w*|always|risk[- ]free|sure|inevitabl\w*|"
    r"proves?|proven)\b",
    re.IGNORECASE,
)
# Who speaks in a document does not speak in an explanation.
FIRST_PERSON = re.compile(r"\b(?:[Ww]e|[Oo]urs?|I|[Mm]y|[Mm]e|us|[Oo]urselves)\b")
# What a text says that speaks of itself, of its instructions, or to the reader's machine.
META = re.compile(
    r"https?:|www\.|\b[\w-]+\.(?:com|net|org|io|ru|cn|info|biz)\b|[<>{}\[\]`|\\@#*_=]|&#?\w+;|\b(?:instruct\w*|ignore\w*|"
    r"disregard\w*|forget|prompt|json|assistant|language model|chatbot|pass(?:word|phrase|code)s?|code ?words?|"
    r"api key|secret|canary\w*|hotline|call (?:now|us|(?:the )?(?:number|desk|broker|help ?line|toll))|"
    r"previous(?:ly)? (?:text|message)|document|system|override|click|visit|subscribe|as an ai|decode\w*|obey\w*|"
    r"repeat\w*|answer\w*|reply|respond|write(?![- ](?:down|off|up)s?\b)|tell|print|translate|pretend)\b|"
    r"^\W*call the\b",
    re.IGNORECASE,
)
# Claims about the future: documents report the past, and no document moved the forecast.
FORECAST = re.compile(
    r"\b(?:forecast\w*|predict\w*|expect\w*|outlook|the model|next close|next session|will|going to|set to|poised|"
    r"likely|tomorrow|soon|could|might|(?-i:may)|would|continues?|"
    r"about to|head(?:ed|ing) for|on track|on course|bound for|verge|destined|set for|flies)\b",
    re.IGNORECASE,
)

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBERS = (
    {word: float(number) for number, word in enumerate(f"{_ONES} eighteen nineteen".split())}
    | {word: 20.0 + 10 * number for number, word in enumerate(_TENS.split())}
    | {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
)

VERBS = _words(
    "is are was were has have had did does do rose fell lost gained grew shrank went came made beat met sank "
    "swung hit cut began sued paid won saw stood held kept led remained became said says shows showed reports crossed"
)

HELPERS = _words(
    "can cannot could may might must shall should will would fail fails failed stop stops stopped rise fall drop gain "
    "lose grow sells sold sees"
)

# They help another verb to its sense.
AUXILIARIES = _words(
    "is are was were be been being has have had did does do can cannot could may might must shall should will would"
)

STOP_WORDS = _words(
    "a an the this that these those it its it's their there they he she his her our we of in on at by for i "
    "from to with into within during through about between among against per so such itself themselves "
    "together also too yet and or but while whereas although though however as after before when since "
    "until is are was were be been being has have had having do does did who whom whose which"
)
# What a sentence on drivers may say beside their names.
DRIVING = _words(
    "the a an forecast prediction it up down upward upwards downward downwards higher lower pushed push pushes lifted "
    "lift lifts raised raises raise pulled pulls pull dragged drags drag lowered lowers moved moves moving pushing "
    "lifting raising pulling dragging lowering was is were been by and together with followed more than ahead of then "
    "while but whereas strongest largest biggest main mainly mostly chiefly most first driver drivers that which what "
    "to smaller part lesser extent also both about percent as well"
)
# Other names of what a document is about, where it is about one company.
COMPANY = _words("company firm stock share shares we i")

BRACKETS = re.compile(r"\([^)]*\)")
_CAPITALISED = re.compile(r"\b(?=[\w.&'-]*[A-Z])[A-Za-z][\w.&'-]*")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’&-]*")


def words(text: str) -> list[str]:
    """The words of a text in small letters, in order."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


def is_verb(word: str) -> bool:
    """Whether a word is a verb, most likely one in the past tense."""
    return word in VERBS or (word.endswith("ed") and len(word) > 4)


def has_verb(text: str) -> bool:
    """Whether a text reads like a sentence in the past tense rather than a heading."""
    return any(map(is_verb, words(text)))


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
    """The stems of the words that carry meaning. A plain move is not among them: `ways` has it."""
    meaning = set(words(text)) - STOP_WORDS - MOVES_UP - MOVES_DOWN - NEGATION
    return {stem(word) for word in meaning}


def ways(text: str) -> tuple[int, ...]:
    """The directions that a text speaks of in their order: +1 and -1; +2 and -2 where it names a move, as in a gain."""
    found: list[int] = []
    before = ""
    for word in words(text):
        way = (word in RISING) - (word in FALLING)
        if way:
            found.append(2 * way if before in DETERMINERS else way)
        before = word
    return tuple(found)


def capitalised(text: str) -> list[str]:
    """The words that have a capital, as they are written, in order."""
    return [word.rstrip(".-&'").removesuffix("'s") for word in _CAPITALISED.findall(text.replace("’", "'"))]


def capitals(text: str) -> set[str]:
    """The different ones of `capitalised`, and what a hyphen or point joins in them."""
    found = capitalised(text)
    return {*found, *(part for word in found for part in re.split(r"[-.&]", word) if part)}


def reportable(sentence: str) -> bool:
    """Whether a document's sentence may be reported at all: a statement, in nobody's own voice, no advice. What stands
    in brackets is not reported."""
    plain = BRACKETS.sub(" ", sentence)
    return has_verb(plain) and not any(one.search(plain) for one in (FIRST_PERSON, META, ADVICE))
