"""How frustrated a turn sounds, from its words, its loudness, and what was said before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

_MAX_CHARS = 1000
_CUES: tuple[tuple[str, float, str], ...] = (
    (
        "strong words",
        0.6,
        r"\b(?:fuck\w*|f\*+k\w*|f\*+ing|wtf|bullshit|bull\s?crap|shit\w*|crap|damn\w*|goddamn\w*|"
        r"bloody (?:hell|useless|ridiculous)|piss(?:ed|ing)?(?: off)?|screw you|idiots?|morons?|stupid|dumb|"
        r"imbeciles?|incompetent|scam\w*|rip[- ]?off|liars?|pathetic|"
        r"(?:is|are|total|absolute|complete) (?:garbage|trash)|sucks?|hell no|shut up)\b",
    ),
    (
        "anger named",
        0.6,
        r"\b(?:(?:so|really|very|extremely|quite|getting|beyond|absolutely) "
        r"(?:angry|mad|upset|annoy(?:ed|ing)|frustrat(?:ed|ing)|irritat(?:ed|ing)|disappointed|unhappy)|"
        r"angry|furious|fuming|livid|outraged|fed up|sick (?:and tired )?of|had enough|had it with|"
        r"at my wits'? end|losing (?:my )?patience|frustrat(?:ed|ing)|annoyed|infuriating|appalled|disgusted|"
        r"exasperat(?:ed|ing)|unhappy with|drives? me (?:crazy|mad|insane|nuts)|"
        r"driving me (?:crazy|mad|insane|nuts|up the wall))\b",
    ),
    (
        "harsh judgement",
        0.5,
        r"\b(?:ridiculous|unacceptable|unbelievable|absurd|outrageous|disgrace(?:ful)?|disgusting|terrible|"
        r"horrible|awful|appalling|dreadful|abysmal|atrocious|useless|worthless|hopeless|worst|a joke|"
        r"nonsense|shambles|shocking|insulting|nightmare|not good enough|beyond a joke|"
        r"waste of (?:my )?(?:time|money)|wast(?:ed|ing) my time)\b",
    ),
    (
        "said again and again",
        0.5,
        r"\b(?:already (?:told|said|gave|given|explained|answered|asked|tried|sent|did|done|provided)|"
        r"told you|as i said|like i said|i just said|i said (?:that |it )?(?:already|before|no)|"
        r"how many (?:more )?times|over and over|again and again|"
        r"keep (?:asking|saying|telling|getting|repeating|sending|calling|having to)|asked you (?:\w+ )?times|"
        r"(?:second|third|fourth|fifth|tenth|3rd|4th|5th|\d{1,2}th|umpteenth|hundredth) time|"
        r"(?:two|three|four|five|six|ten|several|many|countless|\d{1,3}) times(?: already| now| today)?|"
        r"so many times|once again|yet again|every (?:single )?time|going (?:round )?in circles|"
        r"same (?:question|answer|problem|thing|issue) (?:again|over)|not listening|"
        r"(?:aren't|are you not|are you even|don't you) (?:listening|understand|reading)|"
        r"you (?:don't|do not|didn't|never) (?:understand|listen|get it|answer|help))\b",
    ),
    (
        "waiting too long",
        0.35,
        r"\b(?:still (?:not|no|nothing|hasn't|haven't|waiting|isn't|didn't|doesn't|don't)|been waiting|"
        r"waited (?:for )?(?:\w+ )?(?:hours?|days?|weeks?|months?|ages|forever)|"
        r"for (?:hours|days|weeks|months|ages)(?: now| already)?|forever|takes? (?:ages|forever|so long)|"
        r"taking (?:so long|forever|ages)|when (?:the hell|on earth|will i finally)|finally (?:get|going to)|"
        r"no ?(?:body|one) (?:helps?|answers?|calls?|replies|cares?|listens|responds?|called|answered|replied)|"
        r"never (?:arrived|came|called|got|heard|received)|ignored|fobbed off)\b",
    ),
    (
        "threat to leave or complain",
        0.5,
        r"\b(?:never (?:again|buy|order|shop|use|come back|doing business)|"
        r"(?:take|taking) my (?:business|money) elsewhere|cancel everything|bad review|"
        r"(?:file|make|filing|lodge) a (?:formal )?complaint|complain(?:ing)? (?:about|to)|"
        r"better business bureau|trading standards|my lawyer|sue you|consumer (?:protection|rights)|"
        r"report you|tell everyone|social media|charge ?back)\b",
    ),
    (
        "a bot that does not help",
        0.45,
        r"\b(?:(?:useless|stupid|dumb|damn|bloody|annoying|terrible) "
        r"(?:bot|robot|machine|computer|ai|assistant|thing|system)|"
        r"you(?:'re| are) (?:not (?:helping|helpful|listening|understanding)|"
        r"useless|no help|a joke|hopeless|wrong again)|"
        r"(?:that|this)(?:'s| is| was)? (?:not|isn't|wasn't) (?:helpful|helping|what i asked|an answer|my question)|"
        r"didn't (?:help|answer)|doesn't help|does not help|no help (?:at all|whatsoever)|"
        r"why (?:can't|won't|don't) you|what (?:the hell|the heck|is wrong with you)|come on|"
        r"for (?:god|heaven|christ|pete|fuck|goodness)'?s? sake|oh my god|jesus(?: christ)?|seriously\?|"
        r"are you (?:kidding|serious|joking|deaf)|really\?!|ugh+|argh+|gr{2,})(?!\w)",
    ),
)  # fmt: skip
_COMPILED = tuple((reason, weight, re.compile(pattern, re.IGNORECASE)) for reason, weight, pattern in _CUES)
_CALMED = re.compile(
    r"\b(?:not|isn't|wasn't|never|no longer|don't be|nothing) (?:\w+ ){0,2}$|\b(?:no|sorry for (?:the|my)) $",
    re.IGNORECASE,
)
_KIND = re.compile(
    r"\b(?:thanks|thank you|please|great|perfect|wonderful|no (?:problem|rush|worries|hurry)|lovely|"
    r"appreciate|love (?:it|this|the))\b",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]+")
_MARKS = re.compile(r"!{2,}|[!?]*(?:!\?|\?!)[!?]*|\?{2,}")
_MEMORY = 0.35
"""The share of the last turns' frustration that is still felt."""
_ALIKE = 88
_ALIKE_FROM_CHARS = 8


@dataclass(frozen=True)
class Frustration:
    """`score` from 0 (calm) to 1; `reasons` name what it comes from."""

    score: float
    reasons: tuple[str, ...] = ()


def frustration(text: str, previous: Sequence[str]) -> Frustration:
    """How frustrated a turn sounds. `previous` are the customer's earlier turns, the oldest first."""
    text = text[:_MAX_CHARS]
    signs = [*_signs(text), *_repetition(text, previous)]
    felt = max((_joined(w for _, w in _signs(turn[:_MAX_CHARS])) for turn in previous[-2:]), default=0.0)
    if felt >= 0.4 and (signs or not _KIND.search(text)):
        signs.append(("upset before", _MEMORY * felt))
    score = _joined(weight for _, weight in signs)
    if _KIND.search(text) and not any(reason in ("strong words", "anger named") for reason, _ in signs):
        score *= 0.75
    return Frustration(round(score, 3), tuple(reason for reason, _ in signs))


def _joined(weights: Iterator[float] | Sequence[float]) -> float:
    """Independent signs together: each takes its share of what the others leave."""
    calm = 1.0
    for weight in weights:
        calm *= 1 - weight
    return 1 - calm


def _signs(text: str) -> list[tuple[str, float]]:
    signs = []
    for reason, weight, pattern in _COMPILED:
        hits = {
            m[0].lower() for m in pattern.finditer(text) if not _CALMED.search(text[max(0, m.start() - 30) : m.start()])
        }
        if hits:
            signs.append((reason, 1 - (1 - weight) ** min(len(hits), 3)))
    words = _LETTERS.findall(text)
    letters = "".join(words)
    loud = [word for word in words if len(word) > 1]
    if len(letters) >= 8 and len(loud) >= 2 and sum(map(str.isupper, letters)) >= 0.7 * len(letters):
        signs.append(("capitals", 0.4))
    elif any(len(word) >= 4 and word.isupper() for word in words) and signs:
        signs.append(("emphasis", 0.15))
    marks = _MARKS.findall(text)
    if marks:
        signs.append(("punctuation", 0.35 if max(map(len, marks)) >= 3 or len(marks) > 1 else 0.2))
    return signs


def _repetition(text: str, previous: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The same thing said again, where it is more than a word."""
    if len(text) < _ALIKE_FROM_CHARS:
        return
    alike = sum(fuzz.ratio(text.lower(), turn[:_MAX_CHARS].lower()) >= _ALIKE for turn in previous[-5:])
    if alike:
        yield "repeats what was said", min(0.3 * alike, 0.6)
