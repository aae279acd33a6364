"""What a level of the model chain is given, and what it gives back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.business import Business
from agent.conversation import Conversation
from agent.dialogue.facts import facts
from agent.dialogue.policy import Decision, Situation
from agent.dialogue.window import (
    MAX_RESULT_CHARS,
    Draft,
    Exchange,
    Message,
    WindowPolicy,
    cut_middle,
    earlier_turns,
    fit,
)
from agent.knowledge.retrieval import NoPassageFound, Passage
from agent.llm.tokens import Count, size
from agent.tools.registry import Tool

Medium = Literal["text", "voice"]

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parents[2] / "prompts" / "system"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
)


@dataclass(frozen=True)
class TextDelta:
    text: str


@dataclass(frozen=True)
class ToolCall:
    call_id: str
    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ToolOutcome:
    """A finished call: `says` is for the customer, `result` for the model."""

    call: ToolCall
    status: Literal["done", "failed", "unknown", "invalid"]
    result: dict[str, Any]
    says: str


@dataclass(frozen=True)
class Prompt:
    """Everything for one answer; immutable, so that every level of the chain sees the same."""

    turn_id: str
    medium: Medium
    business: Business
    conversation: Conversation
    situation: Situation
    decision: Decision
    tools: tuple[Tool, ...]
    passages: tuple[Passage, ...]
    outcomes: tuple[ToolOutcome, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    """What is remembered of the customer from before this conversation; personal data as tokens."""

    def with_outcome(self, outcome: ToolOutcome) -> Prompt:
        return replace(self, outcomes=(*self.outcomes, outcome))


class Level(Protocol):
    """One level of the chain: a model, or the grounded responder."""

    @property
    def name(self) -> str: ...

    def think(self, prompt: Prompt) -> AsyncGenerator[TextDelta | ToolCall, None]:
        """The answer as it comes. Raises ProviderError when the provider fails."""
        ...


def make_passages(situation: Situation) -> tuple[Passage, ...]:
    return () if isinstance(situation.found, NoPassageFound) else tuple(situation.found.passages)


def as_messages(prompt: Prompt, window: WindowPolicy, count: Count) -> list[Message]:
    """The prompt in the shape of OpenAI's chat messages, with its tools within the window's budget.

    The system message holds the business's words alone; whatever a customer, a page or a tool wrote
    stands in the other roles.
    """
    turns = window.voice_turns if prompt.medium == "voice" else window.text_turns
    draft = Draft(
        system=system_message(prompt),
        facts=facts(prompt.conversation, prompt.business, prompt.known),
        summary=prompt.conversation.summary,
        turns=earlier_turns(prompt.conversation, prompt.turn_id, turns - 1),
        passages=[{"source": p.source, "text": p.text} for p in prompt.passages],
        newest=prompt.situation.understood.text,
        calls=[_exchange(f"now-{number}", outcome) for number, outcome in enumerate(prompt.outcomes)],
    )
    return fit(draft, window.tokens - size(as_tools(prompt), count), count)


def _exchange(call_id: str, outcome: ToolOutcome) -> Exchange:
    """With an id of our own: a ledger's key is too long for some providers, and a model may give one twice."""
    call = outcome.call
    result = json.dumps({"status": outcome.status, "says": outcome.says, **outcome.result}, ensure_ascii=False)
    return Exchange.of(call_id, call.tool, call.arguments, cut_middle(result, MAX_RESULT_CHARS))


def system_message(prompt: Prompt) -> str:
    return _instructions(prompt.business, prompt.medium, prompt.conversation.language, _next_step(prompt))


def _instructions(business: Business, medium: Medium, language: str, next_step: str) -> str:
    return render("agent.jinja", business=business, voice=medium == "voice", language=language, next_step=next_step)


def fixed_tokens(business: Business, tools: Iterable[Tool], count: Count) -> int:
    """What the instructions and the tools take of every prompt, but for the next step."""
    written = max(size([_instructions(business, medium, "", "")], count) for medium in ("text", "voice"))
    return written + size(map(_as_tool, tools), count)


def render(template: str, **values: Any) -> str:
    """A template of prompts/system, filled in."""
    return _templates.get_template(template).render(**values)


def as_tools(prompt: Prompt) -> list[dict[str, Any]]:
    """The tools in the shape of OpenAI's `tools`."""
    return [_as_tool(tool) for tool in prompt.tools]


def _as_tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _next_step(prompt: Prompt) -> str:
    """The policy's decision in words of the business's own files."""
    decision, slots = prompt.decision, prompt.business.slots
    match decision.action:
        case "ask" if decision.slot:
            return f"Ask for the {slots[decision.slot].title}."
        case "which":
            return f"Ask whether {' or '.join(decision.options)} is meant."
        case "answer":
            return "Answer from the passages."
        case "clarify":
            titles = [prompt.business.intents[o].title for o in decision.options]
            return f"Ask whether the customer wants to {' or to '.join(titles)}."
        case "call" if prompt.outcomes:
            return "Tell the customer what the tool's result says."
        case "call":
            return f"Call {decision.tool}."
        case "unknown":
            return "No passage fits. Say so honestly and offer to connect the customer with a human."
        case _:
            return "Answer the customer in one or two sentences."
