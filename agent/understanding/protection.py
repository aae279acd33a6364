"""Personal data in what was said, put into the vault: found in any text, or known as the answer to a question."""

from __future__ import annotations

import re

from agent.safety.detectors import find_personal
from agent.store.vault import ConversationVault
from agent.understanding.addresses import Change, canonical, completed, find_addresses, put_right, written
from agent.understanding.questions import is_question
from agent.understanding.repair import dialogue_act
from agent.understanding.values.names import cased, find_names

TOKEN = re.compile(r"\[([A-Z]+)_\d+\]")
_LEAD_IN = re.compile(
    r"^(?:(?:it'?s|it is|that'?s|my (?:new )?(?:address|name)(?: is|'s)?|the (?:new )?address is|i am|i'?m|this is|"
    r"please send it to|send it to|to|sure|yes|okay|ok|well)\b[\s,:]*)+",
    re.IGNORECASE,
)


def protected(text: str, vault: ConversationVault, region: str) -> str:
    """Personal data in a text as tokens; what is a token already stays."""
    found = [(p.start, p.end, p.kind, p.value, p.canonical) for p in find_personal(text, region=region)]
    for address in find_addresses(text):
        if not any(start < address.end and address.start < end for start, end, *_ in found):
            value = written(address.value)
            found.append((address.start, address.end, address.kind, value, canonical(value)))
    for start, end, kind, value, form in sorted(found, reverse=True):
        text = text[:start] + vault.protect(kind, value, form) + text[end:]
    return text


def protected_names(text: str, vault: ConversationVault) -> str:
    """The names that people give as their own, as tokens."""
    for name in reversed(find_names(text)):
        text = text[: name.start] + vault.protect("NAME", name.value, name.value.lower()) + text[name.end :]
    return text


def protected_parts(text: str, vault: ConversationVault, known: str) -> str:
    """A part of an address, given for the known one's token, as the token of the whole.

    A street waits for its town ("Dover, NH 03820"); a whole address may be put right in a part
    ("the zip is 12345, not 12346").
    """
    if not known.startswith("[") or find_addresses(text):
        return text
    address = vault.reveal_text(known, "tool")
    change: Change | None = put_right(address, text)
    if change is None and known.startswith("[STREET_"):
        change = completed(address, text)
    if change is None:
        return text
    kind = next((a.kind for a in find_addresses(change.value)), "ADDRESS")
    token = vault.protect(kind, change.value, canonical(change.value))
    return f"{text[: change.start]}the address is {token}{text[change.end :]}"


def protected_answer(text: str, slot_type: str, vault: ConversationVault) -> str:
    """The answer to "what is your address / name?" as one token, unless it is no such answer."""
    if slot_type not in ("name", "address") or TOKEN.search(text) or is_question(text) or dialogue_act(text):
        return text
    lead = _LEAD_IN.match(text)
    start = lead.end() if lead else 0
    value = text[start:].strip(" .,!")
    if not _plausible(value, slot_type):
        return text
    value = cased(value)
    form = value.lower() if slot_type == "name" else canonical(value)
    return text[:start] + vault.protect(slot_type.upper(), value, form)


def _plausible(value: str, slot_type: str) -> bool:
    words = value.split()
    if slot_type == "name":
        return 1 <= len(words) <= 5 and not any(ch.isdigit() for ch in value)
    return any(ch.isdigit() for ch in value) and len(words) >= 3
