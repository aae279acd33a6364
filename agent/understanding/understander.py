"""From what was typed or heard to what is meant: `hear` once per utterance, `understand` once per turn."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date

import numpy as np

from agent.business import Business
from agent.conversation import Conversation, Pending
from agent.events import EntityFound
from agent.safety.detectors import find_personal
from agent.safety.injection import strip_roles, suspicious
from agent.store.personal import neutralise
from agent.store.vault import ConversationVault
from agent.understanding.addresses import find_address
from agent.understanding.cleaning import clean
from agent.understanding.embedding import Encoder
from agent.understanding.entities import find_entities
from agent.understanding.frustration import frustration
from agent.understanding.intents import Intent, Intents, NotUnderstood
from agent.understanding.language import detect
from agent.understanding.repair import dialogue_act
from agent.understanding.spoken_forms import written

MAX_CHARS = 4000
"""Longer input is cut before anything reads it."""
PAGES = "_knowledge"
"""The class of questions that the knowledge pages answer."""
_TOKEN_NAMES = {"email": "e-mail", "phone": "phone number", "address": "address", "name": "name", "card": "card"}
_TOKEN = re.compile(r"\[([A-Z]+)_\d+\]")
_LEAD_IN = re.compile(
    r"^(?:(?:it'?s|it is|that'?s|my (?:new )?(?:address|name)(?: is|'s)?|the (?:new )?address is|i am|i'?m|this is|"
    r"please send it to|send it to|to|sure|yes|okay|ok|well)\b[\s,:]*)+",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:(?:hello|hi|hey|hiya|good (?:morning|afternoon|evening|day)|excuse me|um+|uh+|so|well|ok(?:ay)?)\b"
    r"(?: there)?[\s,.!;:-]+)*"
    r"(?:(?:i(?: am|'m| was)? just |i(?: am|'m| was)? )?(?:wondering|calling to (?:ask|find out|know)|"
    r"(?:would|'d) like to (?:ask|know|find out)|want(?:ed)? to (?:ask|know|find out))(?: if| whether| about)?\s+|"
    r"do you (?:happen to )?know\s+)?",
    re.IGNORECASE,
)
"""Politeness at the start of a request, which says nothing of what is wanted."""
_QUESTION = re.compile(
    r"\?\s*$|^(?:(?:actually|and|but|so|well|ok(?:ay)?|um|oh|wait|hold on|hey|hi|hello)\b[\s,]*)*"
    r"(?:what|when|where|who|why|how|can|could|do|does|is|are|will|would|should)(?:'?s)?\b",
    re.IGNORECASE,
)
_SPELT = re.compile(r"\d{4,}|@")
_ORDINALS = (frozenset({"first", "1", "former"}), frozenset({"second", "2", "latter"}), frozenset({"third", "3"}))
_ACT_FROM = {"yes": 0.9, "no": 0.5, "never_mind": 0.7, "repeat": 0.5}
"""From this confidence on the classifier's word counts as said; a yes, which may cause an effect, needs most."""
_CHOSEN_FROM = 0.3
"""From this probability on a reply to "this or that?" counts as one of the two by its meaning."""


@dataclass(frozen=True)
class Understanding:
    """What a turn means."""

    text: str
    """The written turn, personal data as tokens."""
    intent: str | None
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()
    near: tuple[str, ...] = ()
    """The likeliest intents where two are close."""
    act: str | None = None
    """`yes`, `no`, `correction`, `never_mind`, `repeat`... where the wording leaves no doubt."""
    chosen: str | None = None
    """The intent picked among the offered ones."""
    entities: tuple[EntityFound, ...] = ()
    language: str = "en"
    frustration: float = 0.0
    suspicious: tuple[str, ...] = ()
    vector: np.ndarray | None = None
    """The turn's sentence embedding, (384,) float32."""


class Understander:
    """Understands one business's customers; shared by all its sessions.

    The encoder runs in `pool`, never on the event loop.
    """

    def __init__(self, business: Business, intents: Intents, encoder: Encoder, pool: Executor) -> None:
        self._business = business
        self._intents = intents
        self._encoder = encoder
        self._pool = pool
        self._patterns = {name: slot.pattern for name, slot in business.slots.items() if slot.type == "pattern"}

    def hear(self, raw: str, vault: ConversationVault, pending: Pending | None, *, spoken: bool) -> str:
        """One utterance, cleaned and written, personal data as tokens, roles that it poses as removed."""
        text = neutralise(strip_roles(clean(raw, MAX_CHARS)))
        text = _as_written(text, spoken=spoken)
        text = self.protect(text, vault)
        slot = self._business.slots.get(pending.slot) if pending and pending.kind == "slot" else None
        if slot and slot.type in ("name", "address"):
            text = _protect_answer(text, slot.type, vault)
        return text

    def protect(self, text: str, vault: ConversationVault) -> str:
        """Personal data in a text as tokens; what is a token already stays."""
        found = [
            (p.start, p.end, p.kind, p.value, p.canonical) for p in find_personal(text, region=self._business.region)
        ]
        address = find_address(text)
        if address and not any(start < address.end and address.start < end for start, end, *_ in found):
            found.append((address.start, address.end, "ADDRESS", address.value, address.value.lower()))
        for start, end, kind, value, canonical in sorted(found, reverse=True):
            text = text[:start] + vault.protect(kind, value, canonical) + text[end:]
        return text

    async def understand(self, text: str, conversation: Conversation, today: date) -> Understanding:
        """The meaning of a whole turn, given what was said before."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._understand, text, conversation, today)

    def _understand(self, text: str, conversation: Conversation, today: date) -> Understanding:
        entities = self._entities(text, today, conversation.language)
        meaning = request(masked(text, entities, self._business))
        vector = self._encoder.encode([meaning])[0]
        ranking = self._intents.rank(meaning, vector)
        choice = self._intents.choose(ranking)
        said_before = [turn.user_text for turn in conversation.turns if turn.user_text]
        reply = dialogue_act(text)
        pending = conversation.pending
        options = pending.options if pending and pending.kind == "choice" else ()
        return Understanding(
            text=text,
            intent=choice.name if isinstance(choice, Intent) else None,
            confidence=choice.confidence,
            alternatives=tuple(choice.alternatives),
            near=tuple(self._intents.close(ranking)),
            act=reply.kind if reply else _act(choice),
            chosen=self._choose(text, options, dict(ranking.probabilities)) if options else None,
            entities=tuple(entities),
            language=detect(text, self._business.languages, conversation.language),
            frustration=frustration(text, said_before[-5:]).score,
            suspicious=tuple(suspicious(text)),
            vector=vector,
        )

    def _entities(self, text: str, today: date, language: str) -> list[EntityFound]:
        tokens = [
            EntityFound(type=m[1].lower(), value=m[0], text=m[0], start=m.start(), end=m.end())
            for m in _TOKEN.finditer(text)
        ]
        masked = _TOKEN.sub(lambda m: "_" * len(m[0]), text)
        others = find_entities(
            masked, patterns=self._patterns, today=today, region=self._business.region, language=language
        )
        return sorted([*tokens, *others], key=lambda e: e.start)

    def _choose(self, text: str, options: Sequence[str], probabilities: Mapping[str, float]) -> str | None:
        """The offered intent that the customer picked: by place, by its title's words, or by meaning."""
        words = set(re.findall(r"\w+", text.lower()))
        if len(words) <= 5:
            for option, names in zip(options, _ORDINALS, strict=False):
                if words & names:
                    return option
        shared = {o: len(words & _content_words(self._business.intents[o].title)) for o in options}
        most = max(shared.values())
        if most and list(shared.values()).count(most) == 1:
            return max(options, key=lambda o: shared[o])
        likeliest = max(options, key=lambda o: probabilities.get(o, 0.0))
        return likeliest if probabilities.get(likeliest, 0.0) >= _CHOSEN_FROM else None


def masked(text: str, entities: Sequence[EntityFound], business: Business) -> str:
    """A text as the classifier sees it: a number of the business's own, or a token, by what it is called."""
    for entity in sorted(entities, key=lambda e: -e.start):
        slot = business.slots.get(entity.type)
        name = slot.title if slot else _TOKEN_NAMES.get(entity.type) if entity.value.startswith("[") else None
        if name:
            text = f"{text[: entity.start]}{name}{text[entity.end :]}"
    return text


def request(text: str) -> str:
    """A turn without its polite opening and its full stop: "Hi, I want to ask when you open." ends in it."""
    bare = text.rstrip(" .!")
    core = bare[_OPENING.match(bare).end() :]  # type: ignore[union-attr]  # it matches the empty string too
    return core if len(core.split()) >= 3 else bare or text


def training_examples(business: Business, page_questions: Sequence[str]) -> dict[str, list[str]]:
    """What the classifier learns from: the business's examples, masked, and the questions that its pages answer."""
    patterns = {name: slot.pattern for name, slot in business.slots.items() if slot.type == "pattern"}

    def mask(example: str) -> str:
        entities = find_entities(example, patterns=patterns, today=date.min, region=business.region, language="en")
        return request(masked(example, [e for e in entities if e.type in patterns], business))

    examples = {
        name: _with_numbers(
            [mask(e) for e in intent.examples], [business.slots[s].title for s in intent.slots if s in patterns]
        )
        for name, intent in business.intents.items()
    }
    if page_questions:
        examples[PAGES] = list(page_questions)
    return examples


def _with_numbers(examples: list[str], titles: Sequence[str]) -> list[str]:
    """The examples, and every other one with the number that such a request may bring: a number alone means nothing."""
    with_number = [f"{e.rstrip('.!?')} {title}" for title in titles for e in examples[::2] if title not in e]
    return [*examples, *with_number]


def _as_written(text: str, *, spoken: bool) -> str:
    """Speech in written form; what is typed stays, unless it spells a number or an address out."""
    form = written(text)
    spelt = _SPELT.findall(form) != _SPELT.findall(text)
    return form if spoken or spelt else text


def _act(choice: Intent | NotUnderstood) -> str | None:
    """The dialogue act that the classifier is sure of, where the wording alone does not decide."""
    if isinstance(choice, Intent) and choice.confidence >= _ACT_FROM.get(choice.name, 2.0):
        return choice.name
    return None


def is_question(text: str) -> bool:
    """Whether the wording asks something."""
    return bool(_QUESTION.search(text))


def _content_words(title: str) -> set[str]:
    return set(re.findall(r"\w{3,}", title.lower())) - {"your", "the", "and", "for", "with", "about"}


def _protect_answer(text: str, slot_type: str, vault: ConversationVault) -> str:
    """The answer to "what is your address / name?" as one token, unless it is no such answer."""
    if _TOKEN.search(text) or is_question(text) or dialogue_act(text):
        return text
    lead = _LEAD_IN.match(text)
    start = lead.end() if lead else 0
    value = text[start:].strip(" .,!")
    if not _plausible(value, slot_type):
        return text
    return text[:start] + vault.protect(slot_type.upper(), value, value.lower())


def _plausible(value: str, slot_type: str) -> bool:
    words = value.split()
    if slot_type == "name":
        return 1 <= len(words) <= 5 and not any(ch.isdigit() for ch in value)
    return any(ch.isdigit() for ch in value) and len(words) >= 3
