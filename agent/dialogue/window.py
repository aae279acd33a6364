"""The context window: what a model is shown of a conversation, within a budget of tokens.

    system | facts, summary | earlier turns, with their calls of tools | passages | the newest turn | its calls

Where that is more than the budget, `DROPPED_FIRST` says what goes. A call and its result go together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agent.conversation import Conversation, Effect, Turn
from agent.llm.tokens import Count, size

Message = dict[str, Any]
"""In the shape of OpenAI's chat messages."""

KEPT_TURNS = 2
"""Earlier turns that outlast the passages and the summary."""
MAX_RESULT_CHARS = 12_000
"""Of the result of a call in the newest turn."""
MAX_EARLIER_RESULT_CHARS = 1_500
SHORT_RESULT_CHARS = 400
"""To this a result of the newest turn is cut before the summary goes."""
LEAST_RESULT_CHARS = 40
MARK = " […] "
"""Stands where something was cut out."""
_WORD_CHARS = 40
"""A cut seeks a blank so near."""
_RAN = frozenset({"done", "failed", "unknown", "started"})


@dataclass(frozen=True)
class WindowPolicy:
    """How much of a conversation a model is shown."""

    text_turns: int = 10
    """The newest turns of a chat, the one to answer among them."""
    voice_turns: int = 6
    tokens: int = 6000
    """Of the whole prompt, with the instructions and the tools."""

    @property
    def fewest_turns(self) -> int:
        return min(self.text_turns, self.voice_turns)


@dataclass(frozen=True)
class Exchange:
    """A call of a tool and its result: one without the other is refused by providers."""

    call: Message
    result: Message

    @property
    def messages(self) -> list[Message]:
        return [self.call, self.result]

    @classmethod
    def of(cls, call_id: str, tool: str, arguments: dict[str, Any], result: str) -> Exchange:
        function = {"name": tool, "arguments": json.dumps(arguments, ensure_ascii=False)}
        call = {"id": call_id, "type": "function", "function": function}
        return cls(
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call_id, "content": result},
        )


@dataclass
class EarlierTurn:
    """An earlier turn as a model sees it."""

    asked: list[Message] = field(default_factory=list)
    calls: list[Exchange] = field(default_factory=list)
    told: list[Message] = field(default_factory=list)

    @property
    def messages(self) -> list[Message]:
        return [*self.asked, *_flat(self.calls), *self.told]


@dataclass
class Draft:
    """A prompt before it is fitted into its budget; all but `passages` in the order of time."""

    system: str
    facts: dict[str, Any]
    summary: str
    turns: list[EarlierTurn]
    passages: list[dict[str, str]]
    """Best first."""
    newest: str
    """What the customer has just said."""
    calls: list[Exchange]
    """Calls in answer to it."""

    @property
    def background(self) -> list[Message]:
        return _data(facts=self.facts, summary=self.summary)

    @property
    def found(self) -> list[Message]:
        return _data(passages=self.passages)

    @property
    def messages(self) -> list[Message]:
        return [
            {"role": "system", "content": self.system},
            *self.background,
            *(message for turn in self.turns for message in turn.messages),
            *self.found,
            _user(self.newest),
            *_flat(self.calls),
        ]


Change = tuple[list[Message], list[Message]]
"""Messages that stood in the draft, and what stands there instead."""


def _earlier_call(draft: Draft) -> Change | None:
    turn = next((turn for turn in draft.turns if turn.calls), None)
    return (turn.calls.pop(0).messages, []) if turn else None


def _old_turn(draft: Draft) -> Change | None:
    return _any_turn(draft) if len(draft.turns) > KEPT_TURNS else None


def _any_turn(draft: Draft) -> Change | None:
    return (draft.turns.pop(0).messages, []) if draft.turns else None


def _worst_passage(draft: Draft) -> Change | None:
    return _any_passage(draft) if len(draft.passages) > 1 else None


def _any_passage(draft: Draft) -> Change | None:
    if not draft.passages:
        return None
    before = draft.found
    draft.passages.pop()
    return before, draft.found


def _half_of_the_longest_result(draft: Draft, at_least: int = SHORT_RESULT_CHARS) -> Change | None:
    sizes = [len(exchange.result["content"]) for exchange in draft.calls]
    if not sizes or max(sizes) <= at_least:
        return None
    at = sizes.index(max(sizes))
    exchange = draft.calls[at]
    shorter = {**exchange.result, "content": cut_middle(exchange.result["content"], sizes[at] // 2)}
    draft.calls[at] = Exchange(exchange.call, shorter)
    return [exchange.result], [shorter]


def _summary(draft: Draft) -> Change | None:
    if not draft.summary:
        return None
    before, draft.summary = draft.background, ""
    return before, draft.background


def _facts(draft: Draft) -> Change | None:
    if not draft.facts:
        return None
    before, draft.facts = draft.background, {}
    return before, draft.background


def _call(draft: Draft) -> Change | None:
    return (draft.calls.pop(0).messages, []) if len(draft.calls) > 1 else None


DROPPED_FIRST: tuple[Callable[[Draft], Change | None], ...] = (
    _earlier_call,                # calls of earlier turns with their results, the oldest first
    _old_turn,                    # earlier turns but the last two, the oldest first
    _worst_passage,               # passages but the best, the least fitting first
    _half_of_the_longest_result,  # results of this turn's calls, cut in the middle
    _summary,
    _any_turn,                    # the last two earlier turns
    _any_passage,                 # the best passage
    _call,                        # this turn's calls with their results but the last, the oldest first
    _facts,
    partial(_half_of_the_longest_result, at_least=LEAST_RESULT_CHARS),
)  # fmt: skip
"""What goes where there is no room, from top to bottom; last of all the newest turn is cut in the middle."""


def fit(draft: Draft, tokens: int, count: Count) -> list[Message]:
    """The draft's messages, at most so many tokens of them. Changes the draft."""
    over = size(draft.messages, count) - tokens
    for drop in DROPPED_FIRST:
        while over > 0 and (change := drop(draft)):
            gone, instead = change
            over += size(instead, count) - size(gone, count)
    if over > 0:
        draft.newest = _cut_to(draft.newest, size([_user(draft.newest)], count) - over, count)
    return draft.messages


def earlier_turns(conversation: Conversation, turn_id: str, turns: int) -> list[EarlierTurn]:
    """What a model sees of the turns before `turn_id`: at most `turns` that hold a word, in their order."""
    before: list[Turn] = []
    for turn in reversed(_before(conversation.turns, turn_id)):
        if len(before) == turns:
            break
        if turn.user_text or turn.human_texts or turn.known_agent_text:
            before.insert(0, turn)
    calls: dict[str | None, list[Exchange]] = {turn.turn_id: [] for turn in before}
    ran = [e for e in conversation.effects.values() if e.state in _RAN and e.turn_id in calls]
    for number, effect in enumerate(ran):
        calls[effect.turn_id].append(_earlier_exchange(f"earlier-{number}", effect))
    return [_as_seen(turn, calls[turn.turn_id]) for turn in before]


def cut_middle(text: str, chars: int) -> str:
    """A text of at most so many characters: where it is longer, its middle is cut out between words."""
    if len(text) <= chars:
        return text
    half = max(chars - len(MARK), 0) // 2
    start, end = text[:half], text[len(text) - half :]
    start = start[:-_WORD_CHARS] + re.sub(r"\S+\Z", "", start[-_WORD_CHARS:])
    end = re.sub(r"\A\S+", "", end[:_WORD_CHARS]) + end[_WORD_CHARS:]
    return f"{start.rstrip()}{MARK}{end.lstrip()}"


def _before(turns: Sequence[Turn], turn_id: str) -> Sequence[Turn]:
    for at in reversed(range(len(turns))):
        if turns[at].turn_id == turn_id:
            return turns[:at]
    return turns


def _as_seen(turn: Turn, calls: list[Exchange]) -> EarlierTurn:
    told = [f"({name or 'a colleague'} wrote) {text}" for name, text in turn.human_texts]
    told += [turn.known_agent_text] if turn.known_agent_text else []
    return EarlierTurn(
        [_user(turn.user_text)] if turn.user_text else [],
        calls,
        [{"role": "assistant", "content": text} for text in told],
    )


def _earlier_exchange(call_id: str, effect: Effect) -> Exchange:
    status = "unknown" if effect.state == "started" else effect.state
    result = json.dumps({"status": status, **effect.result}, ensure_ascii=False)
    return Exchange.of(call_id, effect.tool, effect.arguments, cut_middle(result, MAX_EARLIER_RESULT_CHARS))


def _cut_to(text: str, tokens: int, count: Count) -> str:
    """A text whose message holds at most so many tokens, its middle cut out."""
    cut, chars = text, len(text)
    while chars > 0 and (held := size([_user(cut)], count)) > tokens:
        chars = chars * tokens * 19 // (held * 20)
        cut = cut_middle(text, chars)
    return cut


def _flat(calls: Sequence[Exchange]) -> list[Message]:
    return [message for exchange in calls for message in exchange.messages]


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _data(**parts: Any) -> list[Message]:
    """What others than the business wrote, as one message of the user's role; none where there is nothing."""
    held = {name: part for name, part in parts.items() if part}
    if not held:
        return []
    data = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
    return [_user(f"<data>\n{data}\n</data>")]
