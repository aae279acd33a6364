"""The policy: what was understood, and what the agent does next.

The situations are tried from top to bottom; the first that applies decides.

    situation                                             decision
    ----------------------------------------------------  -----------------------------------------
    a human has the conversation                          forward
    the recogniser is unsure of the words                 say_again
    a human is asked for, or an always-human intent       hand_off
    frustration over the limit, or N turns without        hand_off
      progress
    a yes or no to what the agent asked                   call | confirm | drop | hand_off | ask
    a choice between the two intents offered              the intent's task
    "never mind", "say that again"                        chat(dropped) | repeat
    a value corrected, or given to the open task          the task goes on
    a task is wanted                                      ask | check | confirm | call
    a fixed answer                                        say
    a passage fits                                        answer (and the open question again)
    an answer to the open question that does not fit      ask again
    two intents are near                                  clarify
    greeting, thanks, goodbye, who are you                chat | end
    none of these                                         unknown (and a human is offered)

Pure: no clock, no randomness. Every decision says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agent.business import Business
from agent.conversation import Conversation, Effect
from agent.dialogue.slots import fill
from agent.knowledge.retrieval import Found, NoPassageFound
from agent.tools.registry import Tool
from agent.understanding.understander import PAGES, Understanding, is_question

Action = Literal[
    "forward", "say_again", "hand_off", "offer_human", "call", "confirm", "check", "drop", "ask",
    "repeat", "say", "answer", "clarify", "chat", "end", "unknown",
]  # fmt: skip
MAX_ASKED = 3
"""After so many vain questions for one slot a human is called."""
SWITCH_FROM = 0.75
"""From this confidence on, an answer that also names another task switches to it."""
HUMAN_FROM = 0.5
"""From this confidence on a wish for a human is granted."""
TASK_FROM = 0.6
"""Below this confidence a question that a page answers is no task."""
ABOUT_FROM = 0.8
"""From this score on a page answers a question that sounds like a task."""
_ABOUT = re.compile(
    r"(?:how (?:do|can|does|would|long|much|many|soon)|what (?:is|are|'?s|happens|if)|do you|does|is (?:it|there)|"
    r"are there|which)\b",
    re.IGNORECASE,
)
_YES = re.compile(r"(?:^|[.,!] ?)(?:yes|yep|yeah|sure|please do|go ahead)\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"\b(?:no|not|if|but|unless|only|wait|first|instead|until|after|before)\b|n't\b|\?", re.IGNORECASE
)
_LASTING = frozenset({"pattern", "email", "phone", "name"})
"""Types of slots whose values serve the next task too; a reason or a date is asked for anew."""
_ANSWER_WORDS = frozenset(
    "the its it's that that's this is was number order please sorry think believe mean meant should would here "
    "sure okay yes yeah yep well actually was one and for with you thanks my have got what not but reads says".split()
)
"""Words around a plain answer, which ask for nothing."""


@dataclass(frozen=True)
class EarPolicy:
    """How sure the recogniser must be of a spoken turn, 0 to 1."""

    say_again_below: float = 0.4
    check_below: float = 0.5
    """A value heard with less confidence is read back before it is used; others are told in the answer anyway."""


@dataclass(frozen=True)
class Decision:
    """What to do and why. `slots` are the values to keep; `task` is the open task afterwards."""

    action: Action
    reasons: tuple[str, ...]
    task: str | None = None
    finishes: str | None = None
    """The task whose tool is called, so that a correction can come back to it."""
    slots: Mapping[str, str | None] = field(default_factory=dict)
    slot: str | None = None
    value: str | None = None
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    effect_id: str | None = None
    options: tuple[str, ...] = ()
    topic: str | None = None
    """For `chat`: which phrase; for `hand_off`: the trigger."""
    again: bool = False
    """The question is asked once more after an answer that did not fit."""
    then: Decision | None = None
    """The open question, asked again after an answer in between."""

    def details(self) -> dict[str, Any]:
        """What the journal keeps beside the action and its reasons."""
        kept: dict[str, Any] = {"task": self.task}
        for name in ("finishes", "slot", "value", "tool", "effect_id", "topic", "again"):
            if getattr(self, name):
                kept[name] = getattr(self, name)
        if self.arguments:
            kept["arguments"] = dict(self.arguments)
        if self.options:
            kept["options"] = list(self.options)
        return kept


@dataclass(frozen=True)
class Situation:
    """All that a decision may depend on."""

    conversation: Conversation
    business: Business
    tools: Mapping[str, Tool]
    understood: Understanding
    found: Found | NoPassageFound
    spoken: bool = False
    confidence: float = 1.0
    ear: EarPolicy = field(default_factory=EarPolicy)

    @property
    def pending_slot(self) -> str | None:
        pending = self.conversation.pending
        return pending.slot if pending and pending.kind in ("slot", "check") else None

    @property
    def effect_asked(self) -> Effect | None:
        pending = self.conversation.pending
        return self.conversation.effects.get(pending.effect_id) if pending and pending.kind == "confirm" else None

    @property
    def wanted_task(self) -> str | None:
        """The task that this turn asks for, if it asks for one."""
        name = self.understood.intent
        intent = self.business.intents.get(name or "")
        return name if intent and intent.tool else None


def decide(situation: Situation) -> Decision:
    """The first row of the table that applies."""
    for rule in _RULES:
        decision = rule(situation)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always applies")


def _with_human(s: Situation) -> Decision | None:
    if s.conversation.with_human:
        return Decision("forward", ("a human has the conversation",), task=s.conversation.task)
    return None


def _unsure_ear(s: Situation) -> Decision | None:
    if s.spoken and s.confidence < s.ear.say_again_below and s.understood.act not in ("yes", "no"):
        return Decision("say_again", (f"heard with confidence {s.confidence:.2f}",), task=s.conversation.task)
    return None


def _human_wanted(s: Situation) -> Decision | None:
    intent = s.business.intents.get(s.understood.intent or "")
    if s.understood.text.strip("#* ") == "0" and s.pending_slot is None:
        return _hand_off(s, "asked_for", "0 was pressed")
    if s.understood.intent == "human" and s.understood.confidence >= HUMAN_FROM:
        return _hand_off(s, "asked_for", "a human was asked for")
    sure = s.understood.confidence >= TASK_FROM
    if intent and intent.human and sure and s.pending_slot not in _values(s, s.conversation.task):
        return _hand_off(s, "always_human", f"{s.understood.intent} always goes to a human")
    return None


def _human_needed(s: Situation) -> Decision | None:
    limits = s.business.hand_off
    if s.conversation.waits_for_human:
        return None
    if s.understood.frustration >= limits.frustration:
        return _hand_off(s, "frustration", f"frustration {s.understood.frustration:.2f}")
    if s.conversation.unresolved >= limits.unresolved_turns:
        return _hand_off(s, "unresolved", f"{s.conversation.unresolved} turns without progress")
    return None


def _hand_off(s: Situation, trigger: str, why: str) -> Decision:
    return Decision("hand_off", (why,), task=None, topic=trigger)


def _yes_or_no(s: Situation) -> Decision | None:
    pending, act = s.conversation.pending, s.understood.act
    yes = act == "yes" or _repeats_with_yes(s)
    if pending is None or not (yes or act == "no"):
        return None
    if pending.kind == "confirm":
        return _confirmed(s, yes)
    if pending.kind == "human":
        if yes:
            return _hand_off(s, "accepted_offer", "the customer accepted a human")
        if s.wanted_task is None:
            return Decision("chat", ("the customer declined a human",), topic="declined", task=s.conversation.task)
    if pending.kind == "check":
        if yes and s.conversation.task:
            return _go_on(s, s.conversation.task, {pending.slot: pending.value}, "the value was checked", checked=True)
        if not _values(s, s.conversation.task):
            return _ask(s, s.conversation.task, pending.slot, "the value was heard wrongly", again=True)
    return None


def _repeats_with_yes(s: Situation) -> bool:
    """Whether a turn says yes and repeats the task that waits for it ("sorry. yes, cancel it"), without a condition."""
    text = s.understood.text
    same = s.wanted_task is not None and s.wanted_task == s.conversation.task
    return same and bool(_YES.search(text)) and not _CONDITION.search(text)


def _confirmed(s: Situation, yes: bool) -> Decision | None:
    effect = s.effect_asked
    if effect is None or effect.state != "proposed":
        return None
    if yes:
        return Decision(
            "call",
            ("the customer confirmed",),
            tool=effect.tool,
            arguments=effect.arguments,
            effect_id=effect.effect_id,
            finishes=s.conversation.task,
        )
    if _changed(s, _values(s, s.conversation.task)):
        return None
    return Decision("drop", ("the customer said no",), effect_id=effect.effect_id)


def _chosen(s: Situation) -> Decision | None:
    pending = s.conversation.pending
    if pending is None or pending.kind != "choice" or not s.understood.chosen:
        return None
    return _start(s, s.understood.chosen, "the customer chose")


def _repair(s: Situation) -> Decision | None:
    if s.understood.act == "repeat":
        return Decision("repeat", ("asked to repeat",), task=s.conversation.task)
    if s.pending_slot in _values(s, s.conversation.task):
        return None
    if s.understood.act == "never_mind" and (s.conversation.task or s.conversation.pending):
        effect = s.effect_asked
        beside = _answer(s, "asked beside it") if is_question(s.understood.text) else None
        return Decision(
            "drop",
            ("never mind",),
            effect_id=effect.effect_id if effect else None,
            then=beside and replace(beside, task=None, then=None),
        )
    return None


def _value_given(s: Situation) -> Decision | None:
    """A value for the open task, or another one for the task just done or refused."""
    task = s.conversation.task or s.conversation.last_task
    values = _values(s, task)
    if task is None or not values or _switches(s, task, values):
        return None
    if s.conversation.task and (s.pending_slot in values or s.wanted_task == task):
        return _go_on(s, task, values, "a value was given")
    if _changed(s, values):
        return _go_on(s, task, values, "another value was given")
    return None


def _switches(s: Situation, task: str, values: Mapping[str, str]) -> bool:
    """Whether the turn asks for another task, more than it gives a value to this one."""
    if s.wanted_task in (None, task):
        return False
    rest = s.understood.text
    for entity in reversed(s.understood.entities):
        rest = rest[: entity.start] + rest[entity.end :]
    asks_more = set(re.findall(r"[a-z']{3,}", rest.lower())) - _ANSWER_WORDS
    repairs = s.pending_slot in values or s.understood.act in ("correction", "no")
    return bool(asks_more) and s.understood.confidence >= (SWITCH_FROM if repairs else TASK_FROM)


def _task_wanted(s: Situation) -> Decision | None:
    if s.wanted_task is None or _asks_about(s):
        return None
    return _start(s, s.wanted_task, f"understood as {s.wanted_task} ({s.understood.confidence:.2f})")


def _asks_about(s: Situation) -> bool:
    """Whether a turn that sounds like a task rather asks something, and a page answers that."""
    if isinstance(s.found, NoPassageFound) or _values(s, s.wanted_task):
        return False
    unsure = s.understood.confidence < TASK_FROM and is_question(s.understood.text)
    return (unsure or bool(_ABOUT.match(s.understood.text))) and s.found.score >= ABOUT_FROM


def _start(s: Situation, name: str, why: str) -> Decision:
    intent = s.business.intents[name]
    if intent.human:
        return _hand_off(s, "always_human", f"{name} always goes to a human")
    if intent.say:
        return Decision("say", (why,), topic=name, task=s.conversation.task)
    if not intent.tool:
        return _answer(s, why) or _unknown(s, "no passage fits the chosen question")
    lasting = {
        slot: value
        for slot, value in s.conversation.slots.items()
        if slot in intent.slots and s.business.slots[slot].type in _LASTING
    }
    return _next_step(s, name, {**lasting, **_values(s, name)}, why)


def _go_on(s: Situation, task: str, values: Mapping[str, str], why: str, *, checked: bool = False) -> Decision:
    known = {k: v for k, v in s.conversation.slots.items() if k in s.business.intents[task].slots}
    return _next_step(s, task, {**known, **values}, why, checked=checked)


def _next_step(s: Situation, task: str, values: Mapping[str, str], why: str, *, checked: bool = False) -> Decision:
    """Read back what was heard unsurely, ask for what is missing, confirm, or call the tool."""
    intent = s.business.intents[task]
    new = {k: v for k, v in values.items() if s.conversation.slots.get(k) != v}
    if new and s.spoken and not checked and s.confidence < s.ear.check_below:
        name = next(iter(new))
        kept = {k: v for k, v in new.items() if k != name}
        reason = f"heard with confidence {s.confidence:.2f}"
        return Decision("check", (why, reason), task=task, slots=kept, slot=name, value=new[name])
    for name in intent.slots:
        if name not in values:
            return replace(_ask(s, task, name, why), slots=new)
    arguments = {name: values[name] for name in intent.slots}
    tool = s.tools[intent.tool]
    if tool.confirm:
        return Decision("confirm", (why,), task=task, slots=new, tool=tool.name, arguments=arguments)
    return Decision("call", (why,), finishes=task, slots=new, tool=tool.name, arguments=arguments)


def _ask(s: Situation, task: str | None, slot: str, why: str, *, again: bool = False) -> Decision:
    asked = s.conversation.asked if s.pending_slot == slot else 0
    if asked >= MAX_ASKED:
        return _hand_off(s, "unresolved", f"{slot} was asked for {asked} times")
    return Decision("ask", (why, f"{slot} is missing"), task=task, slot=slot, again=again)


def _fixed_answer(s: Situation) -> Decision | None:
    intent = s.business.intents.get(s.understood.intent or "")
    if intent and intent.say:
        return Decision("say", (f"understood as {s.understood.intent}",), topic=s.understood.intent)
    return None


def _passage_fits(s: Situation) -> Decision | None:
    awaits = s.pending_slot is not None and not is_question(s.understood.text)
    if s.understood.intent in _SMALL_TALK or awaits:
        return None
    return _answer(s, "a passage fits")


def _answer(s: Situation, why: str) -> Decision | None:
    if isinstance(s.found, NoPassageFound):
        return None
    best = s.found.passages[0]
    return Decision(
        "answer", (why, f"{best.source} {best.score:.2f}"), task=s.conversation.task, then=_open_question(s)
    )


def _open_question(s: Situation) -> Decision | None:
    """The question that the agent waits for, to come back to it after an answer."""
    pending = s.conversation.pending
    if pending is None:
        return None
    if pending.kind == "slot":
        return Decision("ask", ("back to the open question",), task=s.conversation.task, slot=pending.slot)
    effect = s.effect_asked
    if effect is not None:
        return Decision(
            "confirm",
            ("back to the open question",),
            task=s.conversation.task,
            tool=effect.tool,
            arguments=effect.arguments,
            effect_id=effect.effect_id,
        )
    return None


def _misfit(s: Situation) -> Decision | None:
    pending = s.conversation.pending
    if pending is None or s.understood.intent in _SMALL_TALK:
        return None
    open_question = _open_question(s)
    if open_question and s.understood.intent in (None, PAGES) and is_question(s.understood.text):
        return Decision(
            "chat",
            ("a question that no page answers",),
            topic="not_known",
            task=s.conversation.task,
            then=open_question,
        )
    if pending.kind == "slot" and s.conversation.task:
        return _ask(s, s.conversation.task, pending.slot, "the answer did not fit", again=True)
    if pending.kind == "confirm" and open_question and s.conversation.asked < MAX_ASKED:
        return replace(open_question, reasons=("neither yes nor no",), again=True)
    return None


def _near_intents(s: Situation) -> Decision | None:
    options = tuple(o for o in s.understood.near if o in s.business.intents)
    if len(options) < 2:
        return None
    return Decision("clarify", (f"between {' and '.join(options)}",), task=s.conversation.task, options=options)


_CHAT = {"greeting": "greeting", "thanks": "thanks", "who_are_you": "who_are_you", "yes": "ack", "no": "ack"}
_SMALL_TALK = frozenset({*_CHAT, "goodbye"})


def _small_talk(s: Situation) -> Decision | None:
    name = s.understood.intent or s.understood.act
    if name == "goodbye":
        return Decision("end", ("goodbye",))
    if s.understood.suspicious:
        return Decision("chat", s.understood.suspicious, topic="refuse", task=s.conversation.task)
    open_question = _open_question(s)
    if name in ("yes", "no") and open_question:
        return replace(open_question, reasons=(f"{name} answers nothing",), again=True)
    if name in _CHAT:
        topic = _CHAT[name]
        return Decision("chat", (f"understood as {name}",), topic=topic, task=s.conversation.task, then=open_question)
    if name == "complaint":
        return Decision("offer_human", ("a complaint",), task=s.conversation.task, topic="sorry")
    return None


def _unknown(s: Situation, why: str) -> Decision:
    return Decision("unknown", (why,), task=s.conversation.task)


def _values(s: Situation, task: str | None) -> dict[str, str]:
    """What this turn gives to the task's slots."""
    intent = s.business.intents.get(task or "")
    if intent is None:
        return {}
    wanted = {name: s.business.slots[name] for name in intent.slots}
    return fill(s.understood.text, s.understood.entities, wanted, awaited=s.pending_slot)


def _changed(s: Situation, values: Mapping[str, str]) -> bool:
    return any(s.conversation.slots.get(name) != value for name, value in values.items())


_RULES: tuple[Callable[[Situation], Decision | None], ...] = (
    _with_human,
    _unsure_ear,
    _human_wanted,
    _human_needed,
    _yes_or_no,
    _chosen,
    _repair,
    _value_given,
    _task_wanted,
    _fixed_answer,
    _passage_fits,
    _misfit,
    _near_intents,
    _small_talk,
    lambda s: _unknown(s, "none of the intents and no passage fits"),
)
