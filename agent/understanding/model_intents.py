"""The intent by a language model: one of the known names in strict JSON, asked twice at most, within a deadline.

The model sees the masked text alone. Its answer counts as that of a witness who is mostly right: the confidence is
what the local classifier's probabilities become in the light of it (Bayes' rule), for a model's own word on how sure
it is means little.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.errors import ProviderError
from agent.understanding.intents import Intent, NotUnderstood, Ranking
from agent.understanding.votes import NONE_CLASSES

log = structlog.get_logger()

NONE = "none_of_these"
_TRIES = 2
_SHOWN = 5
"""So many examples of an intent are shown."""
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parents[2] / "prompts" / "system"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
)


class JsonModel(Protocol):
    """A model that answers in the form of a JSON schema."""

    async def write_json(self, system: str, user: str, name: str, schema: Mapping[str, Any]) -> str:
        """The answer as it came, of that form or not. Raises ProviderError."""
        ...


class ScriptedModel:
    """JsonModel's in-memory twin: gives the prepared answers in turn, and keeps what it was asked."""

    def __init__(self, *answers: str | Exception, secs: float = 0.0) -> None:
        self._answers = list(answers)
        self._secs = secs
        self.asked: list[tuple[str, str]] = []
        """(system, user)"""

    async def write_json(self, system: str, user: str, name: str, schema: Mapping[str, Any]) -> str:
        self.asked.append((system, user))
        await asyncio.sleep(self._secs)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True)
class NoAnswer:
    """The model said nothing that can be used; `reason` has none of the customer's words."""

    reason: str


@dataclass(frozen=True)
class ModelIntentPolicy:
    deadline_secs: float = 1.5
    """For both tries together."""
    trust: float = 0.9
    """How often the model is taken to be right."""


class ModelIntents:
    """Asks a model which intent a text has."""

    def __init__(
        self,
        model: JsonModel,
        business: str,
        examples: Mapping[str, Sequence[str]],
        policy: ModelIntentPolicy | None = None,
    ) -> None:
        """`examples`: intent -> ways to say it, masked, those of every business among them."""
        self._model = model
        self._policy = policy or ModelIntentPolicy()
        shown = {name: list(said)[:_SHOWN] for name, said in examples.items() if name not in NONE_CLASSES}
        self._names = frozenset({*shown, NONE})
        self._schema = {
            "type": "object",
            "properties": {"intent": {"type": "string", "enum": [*shown, NONE]}},
            "required": ["intent"],
            "additionalProperties": False,
        }
        template = _templates.get_template("intent.jinja")
        self._prompts = [
            template.render(business=business, none=NONE, intents=shown, again=i > 0) for i in range(_TRIES)
        ]

    async def choose(self, text: str, ranking: Ranking) -> Intent | NotUnderstood | NoAnswer:
        """The model's intent for a masked text; `ranking` is the local one of the same text."""
        try:
            async with asyncio.timeout(self._policy.deadline_secs):
                name = await self._ask(text)
        except (ProviderError, TimeoutError) as fault:
            answer = NoAnswer(str(fault) or "too late")
            log.warning("the intent model gave no answer", reason=answer.reason)
            return answer
        return _weighed(name, ranking, self._policy.trust)

    async def _ask(self, text: str) -> str:
        """A known name or NONE. Raises ProviderError when no try gives one."""
        for prompt in self._prompts:
            name = _named(await self._model.write_json(prompt, text, "intent", self._schema))
            if name in self._names:
                return name
        raise ProviderError(f"{_TRIES} answers that are not of the asked form")


def _named(answer: str) -> str:
    """The name in an answer of the asked form, else an empty one."""
    try:
        read = json.loads(answer)
    except ValueError:
        return ""
    if not isinstance(read, dict) or set(read) != {"intent"}:
        return ""
    return read["intent"] if isinstance(read["intent"], str) else ""


def _weighed(picked: str, ranking: Ranking, trust: float) -> Intent | NotUnderstood:
    """The picked intent, with the ranking's probabilities in the light of the pick."""
    chances = {NONE: 1 - ranking.in_scope, **{name: c * ranking.in_scope for name, c in ranking.probabilities}}
    doubt = (1 - trust) / max(1, len(chances) - 1)
    weighed = {name: chance * (trust if name == picked else doubt) for name, chance in chances.items()}
    total = sum(weighed.values()) or 1.0
    shares = {name: weight / total for name, weight in weighed.items() if name != NONE}
    best = sorted(shares.items(), key=lambda share: -share[1])[:5]
    if picked == NONE:
        return NotUnderstood(best[0][1], tuple(best))
    return Intent(picked, shares.get(picked, 0.0), tuple(share for share in best if share[0] != picked)[:4])
