"""From what was typed or heard to what is meant: `hear` once per utterance, `understand` once per turn."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np

from agent.business import Business
from agent.conversation import Conversation, Pending
from agent.events import EntityFound
from agent.safety.injection import strip_roles, suspicious
from agent.store.personal import neutralise
from agent.store.vault import ConversationVault
from agent.understanding.clauses import Clause, clauses
from agent.understanding.cleaning import MAX_CHARS, clean
from agent.understanding.embedding import Encoder
from agent.understanding.entities import find_entities
from agent.understanding.essence import request
from agent.understanding.frustration import frustration, tone_examples
from agent.understanding.intents import Intent, Intents, NotUnderstood, Ranking
from agent.understanding.language import detect, unserved
from agent.understanding.model_intents import ModelIntents, NoAnswer
from agent.understanding.negation import negated
from agent.understanding.protection import TOKEN, protected, protected_answer, protected_names, protected_parts
from agent.understanding.questions import asks_who
from agent.understanding.repair import dialogue_act
from agent.understanding.spoken import from_speech, from_typing
from agent.understanding.tone import Tone
from agent.understanding.values.days import date_orders

PAGES = "_knowledge"
"""The class of questions that the knowledge pages answer."""
_TOKEN_NAMES = {
    "email": "e-mail",
    "phone": "phone number",
    "address": "address",
    "street": "address",
    "name": "name",
    "card": "card",
}
_ORDINALS = (frozenset({"first", "1", "former"}), frozenset({"second", "2", "latter"}), frozenset({"third", "3"}))
_ACT_FROM = {"yes": 0.9, "no": 0.5, "never_mind": 0.7, "repeat": 0.5}
"""From this confidence on the classifier's word counts as said; a yes, which may cause an effect, needs most."""
_ACT_CHARS = 500
"""A longer turn is no bare yes, no or never mind."""
_WISH_FROM = 0.7
"""From this confidence on each clause of a turn is a wish of its own."""
_CHOSEN_FROM = 0.3
"""From this probability on a reply to "this or that?" counts as one of the two by its meaning."""


@dataclass(frozen=True)
class Wish:
    """One of several wishes of a turn: its own words, and what they mean."""

    text: str
    intent: str | None
    confidence: float
    entities: tuple[EntityFound, ...] = ()
    act: str | None = None


@dataclass(frozen=True)
class Understanding:
    """What a turn means."""

    text: str
    """The written turn, personal data as tokens."""
    request: str
    """The turn as the classifier and the pages see it (`essence.request`)."""
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
    unserved: str | None = None
    """The language that the turn is plainly in, where the business does not serve it."""
    frustration: float = 0.0
    frustration_reasons: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()
    wishes: tuple[Wish, ...] = ()
    """Where a turn asks for more than one thing: each of them, in order."""
    vector: np.ndarray | None = None
    """The turn's sentence embedding, (384,) float32."""


class Understander:
    """Understands one business's customers; shared by all its sessions.

    The encoder runs in `pool`, never on the event loop. A `model`, where there is one, has the last word on the intent
    of what the wording does not decide.
    """

    def __init__(
        self,
        business: Business,
        intents: Intents,
        encoder: Encoder,
        pool: Executor,
        model: ModelIntents | None = None,
    ) -> None:
        self._business = business
        self._intents = intents
        self._encoder = encoder
        self._pool = pool
        self._orders = date_orders(
            business.languages, business.region, region_stated="region" in business.model_fields_set
        )
        self._model = model
        self._patterns = {name: slot.pattern for name, slot in business.slots.items() if slot.type == "pattern"}

    def hear(
        self,
        raw: str,
        vault: ConversationVault,
        pending: Pending | None,
        *,
        spoken: bool,
        slots: Mapping[str, str] | None = None,
    ) -> str:
        """One utterance, cleaned and written, personal data as tokens, roles that it poses as removed.

        `slots` are those known so far: a part of an address completes or corrects the known one.
        """
        text = neutralise(strip_roles(clean(raw, MAX_CHARS)))
        slot = self._business.slots.get(pending.slot) if pending and pending.kind == "slot" else None
        if spoken:
            text = from_speech(text, region=self._business.region)
        elif slot is None or slot.type != "text":
            text = from_typing(text)
        known = slots if pending and slots else {}
        address = next((v for n, v in known.items() if self._is(n, "address")), None)
        text = protected_parts(text, vault, address) if address else text
        text = protected_names(self.protect(text, vault), vault)
        return protected_answer(text, slot.type, vault) if slot else text

    def protect(self, text: str, vault: ConversationVault) -> str:
        """Personal data in a text as tokens; what is a token already stays."""
        return protected(text, vault, self._business.region)

    async def understand(
        self, text: str, conversation: Conversation, today: date, *, spoken: bool = False
    ) -> Understanding:
        """The meaning of a whole turn, given what was said before."""
        loop = asyncio.get_running_loop()
        local, ranking = await loop.run_in_executor(self._pool, self._understand, text, conversation, today, spoken)
        if self._model is None or dialogue_act(text):
            return local
        choice = await self._model.choose(local.request, ranking)
        if isinstance(choice, NoAnswer):
            return local
        return replace(
            local,
            intent=choice.name if isinstance(choice, Intent) else None,
            confidence=choice.confidence,
            alternatives=choice.alternatives,
            near=(),
            act=_act(choice),
        )

    @cached_property
    def _tone(self) -> Tone:
        return Tone.train(tone_examples(self._business.languages[0]), self._encoder)

    def _understand(
        self, text: str, conversation: Conversation, today: date, spoken: bool
    ) -> tuple[Understanding, Ranking]:
        """What the turn means without a model, and the classifier's ranking."""
        entities = self._entities(text, today, conversation)
        parts = clauses(text, entities)
        meaning, *meanings = [request(masked(p.text, p.entities, self._business)) for p in parts]
        vector, *vectors = self._encoder.encode([meaning, *meanings])
        ranking = self._intents.rank(meaning, vector)
        of_clauses = [self._intents.choose(self._intents.rank(m, v)) for m, v in zip(meanings, vectors, strict=True)]
        choice = self._choice(text, self._intents.choose(ranking), parts[1:], of_clauses)
        felt = frustration(
            text,
            [turn.user_text for turn in conversation.turns if turn.user_text][-5:],
            tone=self._tone.upset(vector),
            spoken=spoken,
            cut_off=conversation.cut_off,
            language=conversation.language,
        )
        reply = dialogue_act(text) if len(text) <= _ACT_CHARS else None
        pending = conversation.pending
        options = pending.options if pending and pending.kind == "choice" else ()
        languages = self._business.languages
        other = unserved(text, languages)
        understanding = Understanding(
            text=text,
            request=meaning,
            intent=choice.name if isinstance(choice, Intent) else None,
            confidence=choice.confidence,
            alternatives=tuple(choice.alternatives),
            near=tuple(self._intents.close(ranking)),
            act=reply.kind if reply else _act(choice),
            chosen=self._choose(text, options, dict(ranking.probabilities)) if options else None,
            entities=tuple(entities),
            language=detect("" if other else text, languages, conversation.language),
            unserved=other,
            frustration=felt.score,
            frustration_reasons=felt.reasons,
            suspicious=tuple(suspicious(text)),
            wishes=self._wishes(parts[1:], of_clauses),
            vector=vector,
        )
        return understanding, ranking

    def _choice(
        self,
        text: str,
        whole: Intent | NotUnderstood,
        parts: Sequence[Clause],
        of_clauses: Sequence[Intent | NotUnderstood],
    ) -> Intent | NotUnderstood:
        """What the turn as a whole wants; where that is not clear or denied, what one of its clauses plainly wants."""
        if asks_who(text):
            return Intent("who_are_you", 1.0)
        sure = [
            choice
            for part, choice in zip(parts, of_clauses, strict=True)
            if isinstance(choice, Intent) and choice.confidence >= _WISH_FROM and self._is_task(choice.name)
            if not negated(part.text, choice.name)
        ]
        unclear = isinstance(whole, NotUnderstood) or negated(text, whole.name)
        return sure[0] if unclear and len(sure) == 1 else whole

    def _is_task(self, name: str | None) -> bool:
        intent = self._business.intents.get(name or "")
        return intent is not None and bool(intent.tool)

    def _wishes(self, parts: Sequence[Clause], choices: Sequence[Intent | NotUnderstood]) -> tuple[Wish, ...]:
        """The tasks that the clauses of a turn ask for, where each is sure and they are not the same."""
        wishes: list[Wish] = []
        for part, choice in zip(parts, choices, strict=True):
            name = choice.name if isinstance(choice, Intent) and choice.confidence >= _WISH_FROM else None
            reply = dialogue_act(part.text)
            if (reply and reply.kind in ("greeting", "thanks")) or negated(part.text, name):
                continue
            task = name if self._is_task(name) and not (reply and reply.kind == "yes") else None
            act = reply.kind if reply and not wishes and task is None else None
            if task is None and act not in ("yes", "no"):
                return ()
            wishes.append(Wish(part.text, task, choice.confidence, part.entities, act))
        return tuple(wishes) if len({w.intent for w in wishes}) == len(wishes) else ()

    def _entities(self, text: str, today: date, conversation: Conversation) -> list[EntityFound]:
        tokens = [
            EntityFound(type=m[1].lower(), value=m[0], text=m[0], start=m.start(), end=m.end())
            for m in TOKEN.finditer(text)
        ]
        pending = conversation.pending
        task = self._business.intents.get(conversation.task or "")
        asked = [pending.slot] if pending else []
        asked += task.slots if task and pending and pending.kind == "confirm" else []
        day = next((v for n, v in conversation.slots.items() if self._is(n, "date")), None)
        others = find_entities(
            TOKEN.sub(lambda m: "_" * len(m[0]), text),
            patterns=self._patterns,
            today=today,
            region=self._business.region,
            language=conversation.language,
            orders=self._orders,
            awaited={self._business.slots[name].type for name in asked if name in self._business.slots},
            anchor=date.fromisoformat(day) if day else None,
        )
        return sorted([*tokens, *others], key=lambda e: e.start)

    def _is(self, slot: str, slot_type: str) -> bool:
        return slot in self._business.slots and self._business.slots[slot].type == slot_type

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


def _act(choice: Intent | NotUnderstood) -> str | None:
    """The dialogue act that the classifier is sure of, where the wording alone does not decide."""
    if isinstance(choice, Intent) and choice.confidence >= _ACT_FROM.get(choice.name, 2.0):
        return choice.name
    return None


def _content_words(title: str) -> set[str]:
    return set(re.findall(r"\w{3,}", title.lower())) - {"your", "the", "and", "for", "with", "about"}
