"""Capitals and a final mark for words that a recogniser gives without either."""

from __future__ import annotations

import re

from agent.understanding.spoken.words import MONTHS, WEEKDAYS

_MARKED = re.compile(r"[.!?…,;:](?=\s|$)")
_WORDS = re.compile(r"[a-z]+(?:['’][a-z]+)*", re.I)
_VALUE = re.compile(r"[@\d_\[]|\.\w")
_VALUE_WORDS = frozenset(
    [*MONTHS, *WEEKDAYS, "am", "pm", *"o'clock st nd rd th of the cents pence million billion".split()]
)
_NAMES = re.compile(rf"\b(?:{'|'.join([*WEEKDAYS, *(m for m in MONTHS if m not in ('may', 'march', 'august'))])})s?\b")
_FIRST_PERSON = re.compile(r"(?<![\w@.'’-])i(?=['’](?:m|ll|ve|d)\b|(?![\w@.'’-]))")
_OPENERS = re.compile(
    r"^(?:(?:hello|hi|hey|hiya|yes|yeah|no|ok|okay|so|well|and|but|oh|um|uh|actually|sorry|please|thanks|alright|"
    r"great|right|wait|also|then|good\s(?:morning|afternoon|evening)|thank\syou|excuse\sme|just)(?:\s+there)?\s+)+",
    re.I,
)
_SUBJECT = (
    r"(?:i|you|we|they|he|she|it|this|that|there|these|those|my|your|our|his|her|their|the|a|an|any|anyone|anybody|"
    r"someone|somebody|everything|all|order|delivery|shipping)"
)
_AUXILIARY = (
    r"(?:can|could|does|did|is|are|was|were|will|would|should|has|may|might|must|am|isn['’]?t|aren['’]?t|wasn['’]?t|"
    r"won['’]?t|can['’]?t|couldn['’]?t|doesn['’]?t|didn['’]?t|shouldn['’]?t|wouldn['’]?t|hasn['’]?t|haven['’]?t)"
)
_INVERTED = re.compile(
    rf"^(?:{_AUXILIARY}\s+{_SUBJECT}|(?:do|have|don['’]?t)\s+(?:i|you|we|they|any(?:one|body)?|people|customers))\b",
    re.I,
)
_ASKING = re.compile(
    r"^(?:wh(?:at|en|ere|o|y|ose|ich)(?:['’]s|['’]re|['’]d|['’]ll)?|how(?:['’]s|['’]re|['’]d)?)\b(?:\s+(\w+))?", re.I
)
_ELLIPTIC = re.compile(
    r"^(?:any (?:chance|news|update|idea|other|more)|how about|what about|what if|is that|are those|sure about|"
    r"anything else)\b",
    re.I,
)
_NOT_INVERTED = frozenset("i you we they he she it my the this that a an your our people there is means".split())
"""After "when", "what", "which" these begin no question: "when i called", "what i want", "what a mess"."""
_TAG = re.compile(
    r"\b(?:is|are|was|were|do|does|did|can|could|will|would|has|have|should)(?:n['’]?t)\s(?:it|you|they|he|she|we|i|"
    r"that|there)$|\bor not$",
    re.I,
)
_CHECKING = re.compile(r"^(?:\S+\s+){3,}(?:right|correct|yeah|okay)$", re.I)
_STATED_TAG = re.compile(r"^(?:that is|that's|that’s|all|it's|it’s|you're|yes|yeah|ok|okay|not|is)\b", re.I)
_LATE_QUESTION = re.compile(
    r"\b(?:where|when|what|why|how|who)(?:['’]s|\s+(?:is|are|do|does|did|can|will|should|"
    r"was|were|would)(?:\s+(?:i|you|we|they|it|my|the|this|that)\b))",
    re.I,
)
_EMBEDDING = re.compile(
    r"\b(?:know|tell|see|ask|wonder|wondering|sure|understand|explain|idea|matter|remember|out|check|that['’]?s|is|"
    r"about|of|me|on|care)\s+$",
    re.I,
)


def sentence(text: str, said: str) -> str:
    """A first capital, "I", weekdays, and "." or "?" where neither `said` nor `text` shows such marks.

    `said` is what the recogniser gave, `text` what became of it. A bare value ("12345") is no sentence.
    """
    if _written(said) and _written(text):
        return text
    plain = " ".join(token for token in text.split() if not _VALUE.search(token))
    words = [word.lower() for word in _WORDS.findall(plain)]
    text = _NAMES.sub(lambda m: m[0].capitalize(), _FIRST_PERSON.sub("I", text))
    if not any(w not in _VALUE_WORDS and len(w) > 1 for w in words):
        return text
    spelled = all(w[0].isupper() for w in text.split()) and text != "I"
    if text[0].isalpha() and not _VALUE.search(text.split()[0]):
        text = f"{text[0].upper()}{text[1:]}"
    if spelled or _MARKED.search(text[-1:]):
        return text
    return f"{text}{'?' if asks(text) else '.'}"


def _written(text: str) -> bool:
    """Whether a text shows marks or a first capital."""
    letter = re.search(r"[^\W\d_]", text)
    return bool(_MARKED.search(text)) or bool(letter and letter[0].isupper())


def asks(text: str) -> bool:
    """Whether words without a mark ask something, by their order."""
    core = _OPENERS.sub("", text)
    if _INVERTED.match(core) or _ELLIPTIC.match(core):
        return True
    asking = _ASKING.match(core)
    if asking:
        contracted = "'" in asking[0].split()[0] or "’" in asking[0].split()[0]
        how = core[:3].lower() == "how"
        return contracted or how or (asking[1] or "").lower() not in _NOT_INVERTED or _what_is(core)
    if _TAG.search(core) or (_CHECKING.match(core) and not _STATED_TAG.match(core)):
        return True
    late = list(_LATE_QUESTION.finditer(core))[-1:]
    return bool(late) and not _EMBEDDING.search(core[: late[0].start()][-20:])


def _what_is(core: str) -> bool:
    return bool(re.match(r"(?:what|who|where|when|which|why)\s(?:is|means)\s(?!fine|ok|good|why|what)\w", core, re.I))
