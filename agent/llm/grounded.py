"""The answer-giver that needs no model: it puts the policy's decision into the business's own words.

The last level of the model chain. It says only what a page, a tool or the business wrote.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from agent.dialogue.policy import Decision
from agent.llm.prompt import Prompt, TextDelta, ToolCall, ToolOutcome
from agent.phrases import Phrases, in_words
from agent.tools.registry import Tool


class Grounded:
    """Decision in, words or a tool call out."""

    name = "grounded"

    def __init__(self, phrases: Phrases, tools: Mapping[str, Tool]) -> None:
        self._phrases = phrases
        self._tools = tools

    async def think(self, prompt: Prompt) -> AsyncGenerator[TextDelta | ToolCall, None]:
        """The decision's words, and those of what follows it; after a call, its outcome's."""
        decision = prompt.decision
        words = [self._words(step, prompt) for step in decision.chain()]
        if decision.put_off:
            words.insert(len(words) - 1, self._put_off(prompt))
        yield TextDelta(("\n\n" if prompt.medium == "text" else " ").join(filter(None, words)))

    def _words(self, decision: Decision, prompt: Prompt) -> str:
        say, business = self._say(prompt), prompt.business
        match decision.action:
            case "ask":
                return self._question(decision, prompt)
            case "which":
                first, second = map(in_words, decision.options)
                return say("which", first=first, second=second)
            case "check":
                return say("check", value=in_words(decision.value or ""))
            case "confirm":
                return confirm_question(self._tools[decision.tool or ""], decision.arguments)
            case "call":
                return " ".join(outcome.says for outcome in _outcomes_of(decision, prompt))
            case "answer":
                return self._answer(prompt)
            case "clarify":
                first, second = (business.intents[o].title for o in decision.options[:2])
                return say("clarify", first=first, second=second)
            case "say":
                return business.intents[decision.topic or ""].say
            case "repeat":
                return self._last_words(prompt) or say("greeting")
            case "drop":
                return say(decision.topic or "dropped")
            case "end":
                return say("goodbye")
            case "chat":
                return say(decision.topic or "greeting")
            case _:
                return say(decision.action)

    def _say(self, prompt: Prompt) -> Any:
        business, turn = prompt.business, len(prompt.conversation.turns)

        def say(name: str, **values: str) -> str:
            return self._phrases.say(
                name, turn, who=business.hand_off.who, name=business.name, agent=business.agent_name, **values
            )

        return say

    def _question(self, decision: Decision, prompt: Prompt) -> str:
        slot = prompt.business.slots[decision.slot or ""]
        if decision.topic:
            return self._phrases.say(decision.topic, title=slot.title)
        if not decision.again:
            return slot.ask
        again = slot.ask_again or self._phrases.say("ask_again", title=slot.title, ask=slot.ask)
        if not decision.value:
            return again
        return f"{self._phrases.say('unfit', value=decision.value, title=slot.title)} {again}"

    def _put_off(self, prompt: Prompt) -> str:
        """That what was wished for as well is not forgotten, by its number where it has one."""
        business, named = prompt.business, []
        for task in prompt.decision.put_off:
            numbers = [v for n, v in task.slots.items() if n in business.slots and business.slots[n].type == "pattern"]
            title = business.intents[task.task].title
            named.append(", ".join([title, *numbers]))
        return self._phrases.say("put_off", what=self._phrases.say("and").join(named))

    def _answer(self, prompt: Prompt) -> str:
        best = prompt.passages[0]
        return best.spoken if prompt.medium == "voice" else f"{best.answer} [Source: {best.source}]"

    def _last_words(self, prompt: Prompt) -> str:
        return next((t.agent_text for t in reversed(prompt.conversation.turns) if t.agent_text), "")


def _outcomes_of(step: Decision, prompt: Prompt) -> list[ToolOutcome]:
    """The outcomes of a decided call; those of calls that a model made beside it belong to the first step."""
    others = {other.call_id for other in prompt.decision.chain() if other is not step}
    if step is prompt.decision:
        return [o for o in prompt.outcomes if o.call.call_id not in others]
    return [o for o in prompt.outcomes if o.call.call_id == step.call_id]


def confirm_question(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """The tool's own question, with the exact arguments that it will be called with."""
    return tool.confirm.format(**{name: in_words(value) for name, value in arguments.items()})
