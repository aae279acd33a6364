"""A business, described once: `agent.yaml`, `knowledge/` and `tools.py` in one folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _real_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write one like Europe/Berlin") from None
    return name


def _real_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as fault:
        raise ValueError(f"not a regular expression: {fault}") from None
    return pattern


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


SlotType = Literal["text", "pattern", "email", "phone", "date", "name", "address", "number", "choice"]
PERSONAL_TYPES = frozenset({"email", "phone", "name", "address"})


class Slot(_Model):
    """Something the agent must know to do a task. Its name is the tool's parameter."""

    type: SlotType
    title: str
    """How it is called in a sentence: "order number"."""
    ask: str
    """The question that asks for it."""
    ask_again: str = ""
    """Said when the answer did not fit; `ask` where empty."""
    pattern: Annotated[str, AfterValidator(_real_pattern)] = ""
    """For `pattern`: what the whole written value looks like, as a regular expression."""
    choices: dict[str, list[str]] = {}
    """For `choice`: value -> other words for it."""

    @property
    def personal(self) -> bool:
        """Whether its values go into the vault."""
        return self.type in PERSONAL_TYPES


class Intent(_Model):
    """Something a customer may want. With a tool it is a task; with `human` it goes to a person."""

    title: str
    """How it is offered in a clarification: "return an item"."""
    examples: Annotated[list[str], Field(min_length=4)]
    """At least four ways to say it, in the customer's words."""
    tool: str = ""
    """The function in tools.py that does it; without one the knowledge pages answer."""
    slots: list[str] = []
    """What to ask for, in this order, before the tool is called."""
    human: bool = False
    """Always handed to a person."""
    say: str = ""
    """A fixed answer."""


class HandOff(_Model):
    """Who takes over, and what the customer may truly be told."""

    who: str = "a colleague"
    chat: str
    """What happens next in a chat: who will get back, how and when."""
    voice: str
    """The same on a call."""
    unresolved_turns: Annotated[int, Field(ge=1, le=10)] = 3
    """So many turns in a row without progress lead to a person."""
    frustration: Annotated[float, Field(ge=0, le=1)] = 0.8
    """From this frustration on a person is offered at once."""


class Proof(_Model):
    """What it takes to be known by an identifier: `enough`, `never`, or `ask: [slots]`."""

    enough: bool = False
    ask: Annotated[list[str], Field(min_length=1)] = []
    """Slots whose values the customer must say as well, as they are remembered."""

    @model_validator(mode="before")
    @classmethod
    def _in_a_word(cls, rule: Any) -> Any:
        if isinstance(rule, Proof | dict):
            return rule
        if rule not in ("enough", "never"):
            raise ValueError("write `enough`, `never`, or `ask: [slots]`")
        return {"enough": rule == "enough"}


class Identity(_Model):
    """Who counts as known; until then nothing that is remembered is used or told."""

    phone: Proof = Proof()
    """A number that the carrier names. One that is only said never is enough."""
    email: Proof = Proof()
    """An address that the customer says."""
    user_id: Proof = Proof(enough=True)
    """A user of the business's own site, signed by it (IDENTITY_SECRET)."""

    def of(self, kind: Literal["phone", "email", "user_id"]) -> Proof:
        return {"phone": self.phone, "email": self.email, "user_id": self.user_id}[kind]


class Voices(_Model):
    """The agent's voice at each provider."""

    embedded: Literal["joe", "slt", "rms", "awb", "kal16"] = "joe"
    cartesia: str = "71a7ad14-091c-4e8e-a314-022ece01c121"
    elevenlabs: str = "21m00Tcm4TlvDq8ikWAM"
    openai: str = "alloy"


class Greeting(_Model):
    text: str
    voice: str


class SlotWords(_Model):
    """A slot's words in another language."""

    title: str
    ask: str
    ask_again: str = ""


class IntentWords(_Model):
    """An intent's words in another language; ways to say it stand among the intent's own examples."""

    title: str
    say: str = ""


class HandOffWords(_Model):
    """What is told of a hand-off in another language."""

    who: str
    chat: str
    voice: str


class Translation(_Model):
    """The business's own words in one of its further languages; what is left out stays as it is."""

    slots: dict[str, SlotWords] = {}
    intents: dict[str, IntentWords] = {}
    hand_off: HandOffWords | None = None
    phrases: dict[str, str | list[str]] = {}


class Business(_Model):
    """The whole of `agent.yaml`."""

    name: str
    agent_name: str
    line: str
    """One friendly line under the name on the page."""
    persona: str
    """Who the agent is and how it speaks; goes into the model's system message."""
    languages: Annotated[list[str], Field(min_length=1)] = ["en"]
    """ISO 639-1 codes of the languages served; the file itself is written in the first."""
    translations: dict[str, Translation] = {}
    """The file's words in the other languages, by code."""
    time_zone: Annotated[str, AfterValidator(_real_zone)] = "UTC"
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"
    """ISO 3166 code: how local phone numbers and dates are read."""
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#2457d6"
    """The page's accent colour."""
    starters: list[str] = []
    """Three first questions shown to a new visitor."""
    greeting: Greeting
    voices: Voices = Voices()
    slots: dict[str, Slot] = {}
    intents: dict[str, Intent]
    hand_off: HandOff
    identity: Identity = Identity()
    phrases: dict[str, str | list[str]] = {}
    """Replaces phrases of prompts/phrases by name."""
    vocabulary: list[str] = []
    """Names and product words that the ear should expect."""

    _folder: Path = Path()

    @property
    def folder(self) -> Path:
        return self._folder

    def within(self, language: str) -> Business:
        """The same business with its words in a language, where they are translated; else itself."""
        words = self.translations.get(language)
        if words is None:
            return self
        changes: dict[str, Any] = {
            "slots": {name: _worded(slot, words.slots.get(name)) for name, slot in self.slots.items()},
            "intents": {name: _worded(intent, words.intents.get(name)) for name, intent in self.intents.items()},
            "hand_off": _worded(self.hand_off, words.hand_off),
        }
        return self.model_copy(update=changes)

    def translated_phrases(self, language: str) -> Mapping[str, str | list[str]]:
        """The phrases that the business replaces in one of its further languages."""
        words = self.translations.get(language)
        return words.phrases if words else {}

    def model_post_init(self, context: Any) -> None:
        if isinstance(context, dict) and "folder" in context:
            self._folder = context["folder"]


def _worded(part: BaseModel, words: BaseModel | None) -> BaseModel:
    return part.model_copy(update=words.model_dump()) if words else part
