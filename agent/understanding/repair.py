"""Dialogue acts: short replies and repairs whose wording leaves no doubt.

Precision comes first, because a "yes" makes things happen: "yes, but to another address" is no yes,
"no problem" no no. Wordings beyond these tables are for the intent classifier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Act = Literal["yes", "no", "correction", "never_mind", "repeat", "thanks", "greeting", "goodbye"]

_MAX_CHARS = 500


@dataclass(frozen=True)
class Reply:
    """A dialogue act. `rest` is what was said beside it: after "no, it's" the corrected value."""

    kind: Act
    rest: str = ""


@dataclass(frozen=True)
class _Table:
    """A language's wordings, as regular expressions over lower-case text without end marks."""

    whole: tuple[tuple[Act, re.Pattern[str]], ...]
    yes: re.Pattern[str]
    firm: re.Pattern[str]
    """A yes that may be followed by an echo of the question; "ok" and "fine" may begin anything."""
    echo: re.Pattern[str]
    doubt: re.Pattern[str]
    no: re.Pattern[str]
    not_no: re.Pattern[str]
    corrections: re.Pattern[str]
    value: re.Pattern[str]
    never_mind: re.Pattern[str]
    lead: re.Pattern[str]


def dialogue_act(text: str, language: str = "en") -> Reply | None:
    """The act that a turn is, if its wording leaves no doubt; None also for a language without a table."""
    table = _TABLES.get(language)
    if table is None or len(text) > _MAX_CHARS:
        return None
    said = _plain(text)
    bare = table.lead.sub("", said) or said
    for form in (said, bare):
        for kind, pattern in table.whole:
            if pattern.fullmatch(form):
                return Reply(kind)
    return _correction(bare, table) or _never_mind(bare, table) or _yes(bare, table) or _no(bare, table)


def _plain(text: str) -> str:
    """Lower case, straight apostrophes, single spaces; sentence ends as commas; nothing around it."""
    text = text.lower().replace("’", "'").replace("…", ",")
    text = re.sub(r"[.!?;:–—]+(?=\s|$)|\s-+\s", ",", text)
    text = re.sub(r"\s*,[\s,]*", ", ", re.sub(r"\s+", " ", text))
    return text.strip(" ,'\"()-")


def _correction(said: str, table: _Table) -> Reply | None:
    found = table.corrections.match(said)
    if not found:
        return None
    rest = said[found.end() :].strip(" ,")
    kind = found.lastgroup
    if not rest or (kind == "weak" and not table.value.search(rest)):
        return None
    return Reply("correction", rest)


def _never_mind(said: str, table: _Table) -> Reply | None:
    found = table.never_mind.match(said)
    return Reply("never_mind", said[found.end() :].strip(" ,")) if found else None


def _yes(said: str, table: _Table) -> Reply | None:
    """Yes, alone or with an echo of what was asked; not with a value, a condition or a question."""
    found = table.yes.match(said)
    if not found:
        return None
    rest = said[found.end() :].strip(" ,")
    if rest and not (table.firm.match(said) and table.echo.match(rest)):
        return None
    if table.doubt.search(rest) or any(ch.isdecimal() for ch in rest):
        return None
    return Reply("yes", rest)


def _no(said: str, table: _Table) -> Reply | None:
    found = table.no.match(said)
    if not found or table.not_no.match(said):
        return None
    return Reply("no", said[found.end() :].strip(" ,"))


def _any(*wordings: str) -> str:
    return "(?:" + "|".join(wordings) + ")"


_PLEASE = r"(?:,? (?:please|thanks|thank you|thx|sir|ma'?am|madam|mate|now|then|ok|okay|so much|very much))*"
_YES_WORD = _any(
    "yes", "yeah", "yep", "yup", "yea", "ya", "yah", "yas", "yess+", "yessir", "aye", "sure(?: thing)?", "of course",
    "ok(?:ay)?", "okey(?: dokey)?", "k", "kk", "alright", "all right", "right", "correct", "exactly", "precisely",
    "absolutely", "definitely", "certainly", "indeed", "affirmative", "mm-?hm+", "mhm+", "uh-?huh", "uh huh", "perfect",
    "confirmed?", "i confirm(?: (?:it|that))?", "agreed", "fine", "great", "you bet", "by all means", "totally", "true",
)  # fmt: skip
_YES_PHRASE = _any(
    "(?:please )?do(?: it| that| so| this)?", "(?:please )?go (?:right )?ahead(?: (?:and do it|with (?:it|that)))?",
    "go for it", "please", "(?:please )?proceed", "(?:please )?continue", "carry on",
    "that(?:'s| is|s) (?:right|correct|fine|good|great|perfect|ok(?:ay)?|it|true|the one|exactly right|all right|"
    "alright|what i (?:want|meant|said))"
    "(?: (?:by|with|for) me)?", "it(?:'s| is|s) (?:right|correct|fine|ok(?:ay)?|true)", "you(?:'re| are|r) right",
    "sounds (?:good|great|fine|right|perfect)(?: to me)?", "looks (?:good|right|correct|fine)(?: to me)?",
    "(?:that |it )?works(?: for me)?", "i (?:do|am|did|would|agree|guess so|think so|am sure)", "i'm sure",
    "i would (?:like|love) (?:that|to)", "i'd (?:like|love) (?:that|to)", "it is", "it does", "that is", "they are",
    "let's do (?:it|that)", "make it so", "why not", "good", "for sure", "be my guest",
)  # fmt: skip
_NO_WORD = _any("no", "nope", "nah", "naw", "negative", "no+", "non", "na+h", "nay")
_DEED = "(?:do|cancel|return|send|change|book|order|place|submit|refund|go ahead|proceed|confirm)"
_SAID = "what i (?:want(?:ed)?|meant|said|asked)"
_NO_PHRASE = _any(
    "thank(?:s| you)", "no", "please no", "stop", "way", "certainly not", "absolutely not", "definitely not",
    "not (?:now|really|today|yet|at all|that(?: one)?|right now|at the moment|quite|interested)",
    f"(?:please )?(?:don't|do not|dont)(?: {_DEED})?(?: with)?(?: (?:it|that|this|anything|them|my order))?",
    f"(?:that|it)(?:'s| is|s) (?:not (?:right|correct|it|true|{_SAID}|the (?:right )?one|mine)|wrong|incorrect|false)",
    f"(?:that|it) (?:isn't|is not|isnt) (?:right|correct|it|true|{_SAID}|mine)",
    "i (?:don't|do not|dont|didn't|did not|wouldn't|would not|won't)"
    "(?: (?:want|like|think so|need)(?: (?:it|that|to|this|any))?)?",
    "i'd rather not", "i would rather not", "rather not", "wrong(?: (?:one|number|order))?", "incorrect", "not correct",
    "of course not", "never", "i said no", "leave it(?: as it is)?", "i'm good", "i am good", "i'm fine",
    "that's (?:all|it|everything)", "nothing(?: else| more)?", "it is not", "it isn't", "it's not",
)  # fmt: skip
_BYE = _any(
    "good ?bye", "bye(?:[ -]?bye)?", "see (?:you|ya)(?: (?:later|soon|around|then))?", "cya", "farewell", "cheerio",
    "ciao", "(?:talk|speak) to you (?:later|soon)", "take care", "good ?night", "so long",
    "have a (?:good|nice|great|lovely|wonderful) (?:day|one|evening|night|weekend|afternoon|time)",
)  # fmt: skip
_BEFORE_BYE = _any(
    "no", "ok", "okay", "alright", "right", "great", "perfect", "well", "so", "thanks(?: a lot)?", "thank you",
    "that's (?:all|it|everything)", "that is all", "that will be all", "nothing (?:else|more)", "i'm done",
    "we're done",
    "cheers", "i have to go", "gotta go",
)  # fmt: skip
_AFTER_BYE = _any(
    "(?:for )?now", "then", "and thanks", "thanks", "thank you", "you too", "bye", "good ?bye", "everyone", "all",
    "have a (?:good|nice|great|lovely) (?:day|one|evening|weekend)",
)  # fmt: skip
_THANKS = _any(
    "thanks", "thank (?:you|u|ya)", "thankyou", "thx+", "thnx", "tysm", "ty", "cheers", "much appreciated",
    "many thanks", "i (?:really )?appreciate (?:it|that|your help|this)", "ta",
)  # fmt: skip
_BEFORE_THANKS = _any(
    "ok", "okay", "oh", "great", "perfect", "good", "awesome", "cool", "alright", "super", "excellent", "wonderful",
    "brilliant", "lovely", "nice", "ah", "right", "well", "got it",
    "that's (?:great|perfect|good|all|it|everything)",
)  # fmt: skip
_AFTER_THANKS = _any(
    "so much", "very much", "a lot", "a bunch", "a million", "again", "kindly", "indeed",
    "for (?:your|the|all your|all the|everything|that|this|helping|all)"
    "(?: (?:quick |kind |great )?(?:help|time|assistance|info|information|answer|reply|support))?",
    "that's (?:all|it|great|perfect|everything)(?: i (?:needed|wanted))?",
    "that (?:helps|helped|was (?:helpful|great|all))",
)  # fmt: skip
_HELLO = _any(
    "hi+", "hello+", "hey+", "hiya", "howdy", "good (?:morning|afternoon|evening|day)", "greetings", "yo", "hallo",
    "helo", "morning", "evening",
)  # fmt: skip
_AFTER_HELLO = _any(
    "there", "again", "everyone", "all", "team", "guys", "sir", "ma'?am", "hi+", "hello+", "hey+",
    "good (?:morning|afternoon|evening|day)", "how are you(?: doing)?(?: today)?", "how's it going",
    "nice to meet you", "to you",
)  # fmt: skip
_IT = r"(?: (?:that|it|this|yourself|what you said|the last (?:bit|part|thing|sentence)|the question))?"
_AGAIN = _any(
    "pardon(?: me)?", "come again", "say (?:that|it) again", "say again", "what did you (?:just )?say",
    "what was that(?: again)?", "i (?:did not|didn't|didnt) (?:catch|hear|get) (?:that|you|what you said)",
    "i missed that", f"repeat{_IT}", "one more time", "once more", "again", "what", "huh", "sorry", "excuse me",
    f"(?:can|could|would|will) you (?:please )?(?:repeat|say){_IT}(?: again| once more| one more time)?(?: for me)?",
    "you (?:cut|broke|were cutting|are breaking) (?:out|off|up)", "say what",
    "what was the (?:last (?:bit|part|thing)|question)(?: again)?",
)  # fmt: skip
_BEFORE_AGAIN = _any("sorry", "excuse me", "pardon(?: me)?", "i'm sorry", "huh", "what", "hold on", "wait", "hello")
_AFTER_AGAIN = _any(
    "please", "again", "sorry", "once more", "one more time", "i (?:did not|didn't) (?:catch|hear|get) (?:that|it|you)",
    "say (?:that|it) again", "(?:could|can) you repeat (?:that|it)",
)  # fmt: skip
_ECHOED = _any(
    "do", "go", "cancel", "return", "send", "change", "update", "book", "start", "refund", "order", "reserve", "renew",
    "submit", "place", "keep", "make", "proceed", "confirm", "connect", "transfer", "put", "call", "use", "that", "it",
    "this", "i do", "i am", "the (?:first|second|last|same) one", "thanks", "thank you", "please",
)  # fmt: skip
_DOUBT = _any(
    "but", "except", "only if", "unless", "if", "instead", "wait", "actually", "first", "before", "however", "although",
    "not", "no", "nope", "different", "another", "other", "change (?:the|my|it)", "what", "when", "where", "why", "how",
    "who", "which", "can", "could", "does", "is there", "question", "sorry", "maybe", "hmm", "rather", "later",
)  # fmt: skip
_NOT_A_NO = _any(
    r"no (?:problem|worries|idea|doubt|one|need|rush|hurry|matter|clue|body|wonder|way of)\b", "thank", "way",
    r"i'd rather not say", r"stop\b.+", r"i (?:don't|do not|dont|didn't|did not|won't)$", r"never\b.+", r"nothing$",
    r"that's (?:all|it|everything)$", r"i'm (?:good|fine)$", r"i am good$",
)  # fmt: skip
_AFTER_NO = _any(
    "i", "it", "that", "thats", "don't", "dont", "do not", "please", "we", "leave", "keep", "stop", "thank", "not",
    "you", "he", "she", "they", "the other", "let",
)  # fmt: skip
_SORRY = _any(
    "oh", "no", "nope", "wait", "sorry", "actually", "oops", "hold on", "hang on", "my mistake", "my bad", "i'm sorry",
    "apologies", "well", "hmm", "ah", "wrong", "that's wrong", "that's not right", "that's incorrect", "that is wrong",
    "not quite",
)  # fmt: skip
_MEANT = _any(
    "i (?:meant|mean)(?: to say)?", "i (?:actually )?said", "it should (?:be|have been)", "make (?:it|that)",
    "that should (?:be|have been)", "correction", "let me correct that", "scratch that", "i misspoke",
    "(?:change|correct) (?:it|that) to",
    "(?:the )?(?:correct|right) (?:one|number|order number|address|date|name|email|e-mail) is",
)  # fmt: skip
_NO_MATTER = _any(
    "never ?mind", "nvm", "forget (?:it|about it|that|about that|i asked|what i said)", "drop it", "skip it",
    "leave it(?! (?:as|at|on|in|with|to|by|until|till))", "let's (?:drop|leave|skip|forget) (?:it|that)",
    "don't (?:bother|worry about it)", "it doesn't matter(?: any ?more)?", "no longer (?:needed|necessary)",
    "scratch that$", "i changed my mind", "i've changed my mind", "cancel that request", "abort",
)  # fmt: skip
_BEFORE_NO_MATTER = _any(
    "oh", "ok", "okay", "no", "well", "sorry", "actually", "ah", "you know what", "wait", "alright"
)
_NOT_A_VALUE = _any(
    "not", "wrong", "incorrect", "right", "correct", "all", "fine", "ok", "okay", "it", "true", "false", "good",
    "what", "enough", "a joke", "ridiculous",
)  # fmt: skip

_EN = _Table(
    whole=(
        ("goodbye", re.compile(rf"(?:{_BEFORE_BYE}[, ]+){{0,6}}{_BYE}(?:,? {_AFTER_BYE}){{0,4}}")),
        ("thanks", re.compile(rf"(?:{_BEFORE_THANKS}[, ]+){{0,4}}{_THANKS}(?:,? {_AFTER_THANKS}){{0,3}}")),
        ("greeting", re.compile(rf"{_HELLO}(?:,? {_AFTER_HELLO}){{0,3}}")),
        ("repeat", re.compile(rf"(?:{_BEFORE_AGAIN}[, ]+){{0,4}}{_AGAIN}(?:,? {_AFTER_AGAIN}){{0,3}}")),
    ),
    yes=re.compile(
        rf"(?:{_YES_WORD}|{_YES_PHRASE})(?=,|$| )(?:,? (?:{_YES_WORD}|{_YES_PHRASE})(?=,|$| )){{0,8}}{_PLEASE}(?=,|"
        rf"$| )"
    ),
    firm=re.compile(
        r"(?:yes+|yessir|yeah|yep|yup|yea|sure|of course|absolutely|definitely|certainly|correct|exactly)\b"
    ),
    echo=re.compile(
        r"(?:please |just |you can |you may |i want (?:you )?to |i'd like (?:you )?to |i would like (?:you )?to |"
        r"let's )*"
        rf"{_ECHOED}\b"
    ),
    doubt=re.compile(rf"\b{_DOUBT}\b|n't\b|\?"),
    no=re.compile(
        rf"{_NO_WORD}(?:,? (?:{_NO_WORD}|{_NO_PHRASE})(?=,|$| )){{0,8}}{_PLEASE}(?=,|$)"
        rf"|{_NO_WORD}(?= {_AFTER_NO}\b)"
        rf"|{_NO_PHRASE}(?:,? (?:{_NO_WORD}|{_NO_PHRASE})(?=,|$| )){{0,8}}{_PLEASE}$"
    ),
    not_no=re.compile(_NOT_A_NO),
    corrections=re.compile(
        rf"(?:{_SORRY}[, ]+){{0,5}}(?:(?P<strong>{_MEANT}(?=[, ]))"
        r"|(?P<weak>(?<=, )|(?<=no )|(?<=sorry )|(?<=wait )|(?<=actually )|(?<=oops )))"
    ),
    value=re.compile(
        rf"\d|\[[a-z]+_\d+\]|\b(?:it's|it is|that's)\s+(?!{_NOT_A_VALUE}\b)\S"
        r"|\b(?:the \w+(?: \w+)? (?:is|was|should be)|my \w+(?: \w+)? is)\s+\S"
    ),
    never_mind=re.compile(
        rf"(?:{_BEFORE_NO_MATTER}[, ]+){{0,4}}{_NO_MATTER}"
        r"(?: then| please| now| thanks| anyway| again| about (?:it|that|this))*(?=,|$| i'll | i will | it's )"
    ),
    lead=re.compile(r"^(?:(?:well|so|oh|ah|hm+|um+|uh+|erm?|and|like|look|listen|you know)[, ]+)+"),
)

_TABLES = {"en": _EN}
