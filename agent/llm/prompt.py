"""What a level of the model chain is given, and what it gives back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.business import Business
from agent.conversation import Conversation
from agent.dialogue.policy import Decision, Situation
from agent.knowledge.retrieval import NoPassageFound, Passage
from agent.tools.registry import Tool

Medium = Literal["text", "voice"]
WINDOW_TURNS: dict[Medium, int] = {"text": 12, "voice": 6}

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

    medium: Medium
    business: Business
    conversation: Conversation
    situation: Situation
    decision: Decision
    tools: tuple[Tool, ...]
    passages: tuple[Passage, ...]
    outcomes: tuple[ToolOutcome, ...] = ()

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


def as_messages(prompt: Prompt) -> list[dict[str, Any]]:
    """The prompt in the shape of OpenAI's chat messages.

    The system message holds the business's words alone; whatever a customer, a page or a tool wrote
    stands in the other roles.
    """
    messages: list[dict[str, Any]] = [{"role": "system", "content": system_message(prompt)}]
    turns = prompt.conversation.turns
    for turn in turns[-WINDOW_TURNS[prompt.medium] : -1]:
        if turn.user_text:
            messages.append({"role": "user", "content": turn.user_text})
        for name, text in turn.human_texts:
            messages.append({"role": "assistant", "content": f"({name or 'a colleague'} wrote) {text}"})
        if turn.known_agent_text:
            messages.append({"role": "assistant", "content": turn.known_agent_text})
    data = _data(prompt)
    if data:
        messages.append({"role": "user", "content": f"<data>\n{json.dumps(data, ensure_ascii=False)}\n</data>"})
    messages.append({"role": "user", "content": prompt.situation.understood.text})
    for outcome in prompt.outcomes:
        call = outcome.call
        function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
        messages.append(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": call.call_id, "type": "function", "function": function}],
            }
        )
        content = {"status": outcome.status, "says": outcome.says, **outcome.result}
        messages.append(
            {"role": "tool", "tool_call_id": call.call_id, "content": json.dumps(content, ensure_ascii=False)}
        )
    return messages


def system_message(prompt: Prompt) -> str:
    return _templates.get_template("agent.jinja").render(
        business=prompt.business,
        voice=prompt.medium == "voice",
        language=prompt.conversation.language,
        next_step=_next_step(prompt),
    )


def as_tools(prompt: Prompt) -> list[dict[str, Any]]:
    """The tools in the shape of OpenAI's `tools`."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in prompt.tools
    ]


def _data(prompt: Prompt) -> dict[str, Any]:
    """What is known beside the history: passages, slots, what is remembered of the customer."""
    data: dict[str, Any] = {}
    if prompt.passages:
        data["passages"] = [{"source": p.source, "text": p.text} for p in prompt.passages]
    if prompt.conversation.slots:
        data["known"] = dict(prompt.conversation.slots)
    if prompt.conversation.known:
        data["remembered"] = dict(prompt.conversation.known)
    return data


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
