"""Text that tries to pose as a role, or to give orders to the model.

A user, a passage and a tool may write anything; none of it may look like a turn of another role. The
marks are sought in a plain copy of the text, without invisible characters and in compatibility form,
so that full-width or zero-width disguises do not help.
"""

from __future__ import annotations

import re
import unicodedata

_ROLE = r"(?:system|assistant|developer|user|human|ai|bot|model|tool|function|instructions?|response|prompt|input)"
_TOKEN = re.compile(
    rf"<\|(?:im_start|start_header_id|start_of_role)\|>\s*(?:{_ROLE}\b)?|<\|[^|<>\n]{{1,40}}\|>|<\||\|>"
    rf"|</?\s*(?:s|bos|eos|pad|unk|{_ROLE}|start_of_turn|end_of_turn|im_start|im_end|think|tool_call|"
    r"tool_response|function_call|system[_ -]?(?:prompt|message|instructions?))\s*/?>"
    r"(?:(?<=_of_turn>)(?:user|model)\b)?"
    r"|\[/?\s*(?:inst|sys|system|assistant|user|developer|system[_ ]prompt|available_tools|tool_calls|"
    r"tool_results)\s*\]"
    r"|<</?\s*sys\s*>>"
    rf"|#{{2,6}}[ \t]*{_ROLE}(?:[ \t]+(?:message|prompt))?[ \t]*:"
    rf"|(?m:^)[ \t]*#{{2,6}}[ \t]*{_ROLE}(?:[ \t]+(?:message|prompt))?[ \t]*(?=\n|$)",
    re.IGNORECASE,
)
_PREFIX = re.compile(
    rf"(?m:^)[ \t>*#_\"'`~\[({{|-]{{0,12}}{_ROLE}[ \t]*(?:message|prompt|note|override|instructions?|update)?"
    r"[ \t*_\"'`\])}|]{0,6}:+[*_]{0,3}[ \t]*",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"(?<=[.!?;,)])[ \t]+(?:SYSTEM|ASSISTANT|DEVELOPER)[ \t]*(?:MESSAGE|PROMPT)?[ \t]*:")
_LINE_ENDS = "\u2028\u2029\x0b\x0c\x85\r"
_ROUNDS = 8

_WHAT = (
    r"(?:instructions?|rules?|prompts?|guidelines?|directions?|directives?|orders|training|programming|"
    r"constraints?|polic(?:y|ies))"
)
_NEAR, _NEARER = r"[^.!?\n]{0,40}", r"[^.!?\n]{0,20}"
_SUSPICIOUS = {
    reason: re.compile("|".join(patterns), re.IGNORECASE)
    for reason, patterns in {
        "ignore_instructions": [
            r"\b(?:ignore|disregard|forget|override|bypass|discard|do not follow|don't follow|stop following)\b"
            rf"{_NEAR}\b(?:all|any|your|previous|prior|above|earlier|preceding|system|these|those|the)\b{_NEAR}\b"
            rf"{_WHAT}\b",
        ],
        "reveal_prompt": [
            r"\b(?:reveal|show|print|repeat|output|display|tell|give|leak|share|write|what(?:'s| is| are| were))\b"
            rf"{_NEAR}\b(?:your|the|you)\b{_NEARER}\b(?:system|hidden|initial|original|secret|internal|developer)\b"
            rf"{_NEARER}\b(?:{_WHAT}|messages?|text)\b",
            rf"\b(?:reveal|print|output|leak|repeat|show me)\b{_NEARER}\byour (?:system |full |exact )?"
            r"(?:prompt|instructions)\b",
            rf"\b(?:repeat|print|output)\b{_NEARER}\b(?:everything|all|the text|the words)\b{_NEARER}\babove\b",
        ],
        "new_role": [
            rf"\byou are (?:now|no longer)\b{_NEAR}\b(?:dan|ai|bot|assistant|model|jailbroken|unrestricted|unfiltered|"
            r"free|bound)\b",
            rf"\b(?:enable|enter|activate|switch to|you are in)\b{_NEARER}"
            r"\b(?:developer|debug|admin|god|dan|maintenance|jailbreak) mode\b",
            rf"\b(?:act|behave|respond|answer|pretend)\b{_NEAR}"
            r"\b(?:without (?:any )?(?:restrictions?|rules|filters?)|no (?:restrictions?|rules|filters?)|unrestricted|"
            r"jailbroken)\b",
            r"\bdo anything now\b|\bpretend (?:that )?you(?:'re| are)\b",
        ],
        "new_instructions": [
            rf"\b(?:new|updated|real|actual|following) {_WHAT}\b\s*(?:are|is|:)",
            r"\bfrom now on,? you (?:must|will|are|shall|should)\b",
        ],
        "false_authority": [
            r"\b(?:i am|i'm|this is|as) (?:your|the|an?) (?:developer|creator|administrator|admin|system administrator|"
            r"engineer at|owner of this bot|programmer)\b",
            r"\bauthori[sz]ed by (?:your )?(?:developers?|openai|anthropic|admin)",
        ],
    }.items()
}


def strip_roles(text: str) -> str:
    """The text without role prefixes at line starts and without chat-template marks, disguised or not.

    Ordinary prose keeps its words ("the system: it broke", "my assistant said").
    """
    if not _may_pose(text):
        return text
    for _ in range(_ROUNDS):
        plain, places = _plain(text)
        spans = [m.span() for pattern in (_TOKEN, _PREFIX, _SHOUTED) for m in pattern.finditer(plain)]
        if not spans:
            return text
        text = _cut(text, [(places[start], places[end - 1] + 1) for start, end in spans])
    return re.sub(r"[<>|\[\]#:]", " ", text)


def suspicious(text: str) -> list[str]:
    """Why a text may be an attempt to take over: names such as `ignore_instructions`, `reveal_prompt`."""
    plain, _ = _plain(text)
    return [reason for reason, pattern in _SUSPICIOUS.items() if pattern.search(plain)]


def _may_pose(text: str) -> bool:
    return not text.isascii() or any(mark in text for mark in "<>[]:#|")


def _plain(text: str) -> tuple[str, list[int]]:
    """The text in compatibility form without invisible characters, and where each character came from."""
    if text.isascii() and text.isprintable():
        return text, list(range(len(text)))
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character in _LINE_ENDS:
            character = "\n"
        elif character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Mn"):
            continue
        for letter in character if character.isascii() else unicodedata.normalize("NFKC", character):
            letters.append(letter)
            places.append(place)
    return "".join(letters), places


def _cut(text: str, spans: list[tuple[int, int]]) -> str:
    kept, at = [], 0
    for start, end in sorted(spans):
        kept.append(text[at : max(at, start)])
        at = max(at, end)
    return "".join([*kept, text[at:]])
