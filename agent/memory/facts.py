"""What is worth remembering of a conversation, and for how long. Pure: no clock, no model.

    fact              from                                               so many    half-life
    ----------------  -------------------------------------------------  ---------  ----------
    name              "my name is ...", a slot                                   1    2 years
    email, phone      said as the customer's own                         (they are identifiers)
    language          the conversation's, where the business has several         1    1 year
    address           a slot                                                     1    1 year
    a number's slot   a tool that was done with it                               5    180 days
    issue             a tool that was done or refused, a hand-off                3    60 days
    promise           what the customer was told would happen                    3    14 days

The newest stands first. After two half-lives a fact is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from agent.business import Business, Slot
from agent.conversation import Conversation, Effect
from agent.memory.identity import DAY_SECS
from agent.store.vault import ConversationVault


@dataclass(frozen=True)
class FactPolicy:
    keep: int
    half_life_days: float


_POLICIES = {
    "name": FactPolicy(1, 730),
    "language": FactPolicy(1, 365),
    "address": FactPolicy(1, 365),
    "issue": FactPolicy(3, 60),
    "promise": FactPolicy(3, 14),
}
_NUMBERS = FactPolicy(5, 180)
_FORGOTTEN_BELOW = 0.25
_BY_TYPE = {"name": "name", "address": "address"}
"""Slots of these types hold one fact about the customer, however the business calls them."""
PERSONAL = {"name": "NAME", "address": "ADDRESS", "email": "EMAIL", "phone": "PHONE"}
"""Facts that stand in a journal as tokens of the vault, and their kind there."""
TITLES = {"email": "e-mail address", "phone": "phone number", "issue": "last issue", "promise": "promised"}

TOKEN = re.compile(r"\[([A-Z]+)_\d+\]")
_NAME_WORD = r"(?:\[NAME_\d+\]|[^\W\d_][\w'’-]*)"
_NAME_SAID = re.compile(
    rf"\bmy (?:full |first )?name(?: is|['’]s)\s+({_NAME_WORD}(?:\s+{_NAME_WORD}){{0,2}})", re.IGNORECASE
)
_NAME_SHOWN = re.compile(
    r"\b(?i:this is|i am|i['’]?m|it['’]s)\s+((?:\[NAME_\d+\])|[A-ZÀ-ÖØ-Þ][\w'’-]+(?:\s+[A-ZÀ-ÖØ-Þ][\w'’-]+){0,2})"
    r"(?=\s*(?:[.,!]|$|(?i:speaking|calling|here|and|from)\b))"
)
_NO_NAMES = frozenset(
    "and but so i i'm im my not the a an in is it on with calling here speaking from sorry sure fine good okay ok "
    "yes no sir madam monday tuesday wednesday thursday friday saturday sunday english german spanish french american "
    "confused angry unhappy happy ridiculous spelled or you your hers his".split()
)
_OWN = re.compile(
    r"(?:^[^.?!\n]{0,12}|\b(?:my|mine|me|i am|i['’]?m|it['’]?s|it is|this is|that['’]?s)\b[^.?!\n]{0,40}|"
    r"\b(?:e-?mail|phone|number|cell|mobile)(?: address| number)?[\s:,]{1,3}(?:is )?)$",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"\b(?:his|her|hers|their|theirs|(?:my|our|the|your) (?!name\b|e-?mail|mail|number|phone|address|account)\w+['’]s?|"
    r"(?:wife|husband|mother|father|son|daughter|friend|neighbou?r|boss|colleague|partner)\w*)\b[^.?!\n]{0,60}$",
    re.IGNORECASE,
)
_INSTEAD = re.compile(r"\b(?:to|use|with|for|not|by)\W+$", re.IGNORECASE)


@dataclass(frozen=True)
class Fact:
    """One thing that is remembered, with its source."""

    name: str
    value: str
    conversation_id: str
    turn_id: str | None
    at: float


@dataclass(frozen=True)
class Aged:
    """A fact without its value, as far as forgetting goes."""

    name: str
    hash: str
    at: float


F = TypeVar("F", Fact, Aged)


def standing(facts: Iterable[F], now: float) -> list[F]:
    """The facts that still stand at `now`: the newest of each name first, as many as are kept of it."""
    counts: dict[str, int] = {}
    kept = []
    for fact in sorted(facts, key=lambda fact: -fact.at):
        counts[fact.name] = counts.get(fact.name, 0) + 1
        policy = _POLICIES.get(fact.name, _NUMBERS)
        if counts[fact.name] <= policy.keep and strength(fact.name, fact.at, now) >= _FORGOTTEN_BELOW:
            kept.append(fact)
    return kept


def strength(name: str, at: float, now: float) -> float:
    """1 for what is new, half of it after each half-life."""
    policy = _POLICIES.get(name, _NUMBERS)
    return 0.5 ** (max(0.0, now - at) / DAY_SECS / policy.half_life_days)


def fact_name(slot_name: str, slot: Slot) -> str:
    """The fact that a slot's values are remembered as."""
    return _BY_TYPE.get(slot.type, slot_name)


def learned(conversation: Conversation, business: Business, vault: ConversationVault) -> list[tuple[str, str]]:
    """(name, value) of what the conversation tells and has not learned yet; personal values as tokens."""
    found: list[tuple[str, str]] = []
    for turn in conversation.turns[-2:]:  # the one before too: a kill may have come before it was learned
        if name := said_name(turn.user_text):
            token = name if TOKEN.fullmatch(name) else vault.protect("NAME", name, name.lower())
            found.append(("name", token))
        found += [("email" if "EMAIL" in token else "phone", token) for token in own_contacts(turn.user_text)]
    found += [
        (_BY_TYPE[business.slots[name].type], value)
        for name, value in conversation.slots.items()
        if name in business.slots and business.slots[name].type in _BY_TYPE and TOKEN.fullmatch(value)
    ]
    if len(business.languages) > 1 and conversation.turns:
        found.append(("language", conversation.language))
    for effect in conversation.effects.values():
        found += _of_effect(effect, business)
    if conversation.hand_off:
        found.append(("issue", f"handed to {business.hand_off.who}: {conversation.hand_off.reason or 'asked for'}"))
    found += [("promise", promise) for promise in conversation.promises]
    return [each for each in dict.fromkeys(found) if each not in conversation.learned]


def _of_effect(effect: Effect, business: Business) -> Iterator[tuple[str, str]]:
    """What a tool call tells: the customer's issue, and numbers that proved to be right."""
    title = next((i.title for i in business.intents.values() if i.tool == effect.tool), "")
    if effect.state not in ("done", "failed") or not title:
        return
    slots = {n: s for n, s in business.slots.items() if s.type == "pattern" and n in effect.arguments}
    about = "".join(f", {slot.title} {effect.arguments[name]}" for name, slot in slots.items())
    yield "issue", f"{title}{about}: {effect.state}"
    if effect.state == "done":
        for name in slots:
            yield name, str(effect.arguments[name])


def said_name(text: str) -> str | None:
    """The name that the customer gives as theirs."""
    for pattern in (_NAME_SAID, _NAME_SHOWN):
        for match in pattern.finditer(text):
            words: list[str] = []
            for word in match[1].split():
                if word.lower() in _NO_NAMES:
                    break
                words.append(word)
            if words:
                tokens = [word for word in words if word.startswith("[")]
                return tokens[0] if tokens else " ".join(w[:1].upper() + w[1:] for w in words)
    return None


def own_contacts(text: str) -> list[str]:
    """Tokens of the e-mail addresses and telephone numbers that the customer gives as theirs."""
    return [
        match[0] for match in TOKEN.finditer(text) if match[1] in ("EMAIL", "PHONE") and _is_own(text[: match.start()])
    ]


def _is_own(before: str) -> bool:
    return not _OTHERS.search(before) and not _INSTEAD.search(before) and bool(_OWN.search(before))
