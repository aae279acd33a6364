"""The policy: what was understood, and what the agent does next.

The situations are tried from top to bottom; the first that applies decides. Of several wishes in one
turn the first is decided on; what comes of the others, and of a task that is interrupted, is agenda.py's.

    situation                                             decision
    ----------------------------------------------------  -----------------------------------------
    a human has the conversation                          forward
    the recogniser is unsure of the words                 say_again
    a human is asked for, or an always-human intent       hand_off
    frustration over the limit, or N turns without        hand_off
      progress
    a yes or no to what the agent asked                   call | confirm | drop | hand_off | ask
    a choice between the two intents offered              the intent's task
    a choice between two readings of a date               the task goes on
    "never mind", "say that again"                        chat(dropped) | repeat
    one more value for the open task ("10004 too")        the task once more, after this one
    a value corrected, or given to the open task          the task goes on
    first written in a language that is not served        not_served (and the open question again)
    a task is wanted                                      ask | which | check | confirm | call
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
from dataclasses import replace
from datetime import date

from agent.dialogue.agenda import attend, first_wish
from agent.dialogue.decision import Decision, EarPolicy, Situation
from agent.dialogue.slots import near_miss, volunteered
from agent.dialogue.tasks import (
    MAX_ASKED,
    answer,
    ask,
    changed,
    go_on,
    hand_off,
    open_question,
    start,
    unknown,
    values_in,
)
from agent.handoff.triggers import asks_for_human
from agent.knowledge.retrieval import NoPassageFound
from agent.understanding.negation import negated
from agent.understanding.questions import is_question
from agent.understanding.understander import PAGES

__all__ = ["Decision", "EarPolicy", "Situation", "decide"]

SWITCH_FROM = 0.75
"""From this confidence on, an answer that also names another task switches to it."""
TASK_FROM = 0.6
"""Below this confidence a question that a page answers is no task."""
ABOUT_FROM = 0.8
"""From this score on a page answers a question that sounds like a task."""
_ABOUT = re.compile(
    r"(?:how (?:do|can|does|would|long|much|many|soon)|what (?:is|are|'?s|happens|if)|do you|does|is (?:it|there)|"
    r"are there|which)\b",
    re.IGNORECASE,
)
_YES = re.compile(r"(?:^sure|\b(?:yes|yep|yeah|please do|go ahead))\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"\b(?:no|not|if|but|unless|only|wait|first|instead|until|after|before)\b|n't\b|\?", re.IGNORECASE
)
_BESIDE = re.compile(r"\b(?:also|too|as well|in addition|on top of that)\b", re.IGNORECASE)
_PLACE = re.compile(r"\b(?:(?P<first>first|former)|second|latter|last)\b", re.IGNORECASE)
_ANSWER_WORDS = frozenset(
    "the its it's that that's this is was number order please sorry think believe mean meant should would here "
    "sure okay yes yeah yep well actually was one and for with you thanks my have got what not but reads says".split()
)
"""Words around a plain answer, which ask for nothing."""


def decide(situation: Situation) -> Decision:
    """The first row of the table that applies, and what waits behind it."""
    first, later = first_wish(situation)
    for rule in _RULES:
        decision = rule(first)
        if decision is not None:
            return _noting(situation, attend(first, decision, later))
    raise AssertionError("the last rule always applies")


def _noting(s: Situation, decision: Decision) -> Decision:
    """The decision with numbers kept that the turn gives beside what it asks; a task takes its own values."""
    unsure = s.spoken and s.confidence < s.ear.check_below
    if s.conversation.task or s.conversation.with_human or unsure or decision.task or decision.tool or decision.waiting:
        return decision
    values = volunteered(s.understood.text, s.understood.entities, s.business.slots)
    new = {name: value for name, value in values.items() if s.conversation.slots.get(name) != value}
    return replace(decision, slots={**new, **decision.slots})


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
    if s.understood.text.strip("#* .").lower() in ("0", "zero") and s.pending_slot is None:
        return hand_off("asked_for", "0 was pressed")
    if asks_for_human(s.understood):
        return hand_off("asked_for", "a human was asked for")
    sure = s.understood.confidence >= TASK_FROM
    if intent and intent.human and sure and s.pending_slot not in values_in(s, s.conversation.task):
        return hand_off("always_human", f"{s.understood.intent} always goes to a human")
    return None


def _human_needed(s: Situation) -> Decision | None:
    limits = s.business.hand_off
    if s.conversation.waits_for_human:
        return None
    if s.understood.frustration >= limits.frustration:
        felt = ", ".join(s.understood.frustration_reasons) or "no single reason"
        return hand_off("frustration", f"frustration {s.understood.frustration:.2f} ({felt})")
    if s.conversation.unresolved >= limits.unresolved_turns:
        return hand_off("unresolved", f"{s.conversation.unresolved} turns without progress")
    return None


def _yes_or_no(s: Situation) -> Decision | None:
    pending, act = s.conversation.pending, s.understood.act
    yes = act == "yes" or _repeats_with_yes(s)
    if pending is None or not (yes or act == "no"):
        return None
    if pending.kind == "confirm":
        return _confirmed(s, yes)
    if pending.kind == "human":
        if yes:
            return hand_off("accepted_offer", "the customer accepted a human")
        if s.wanted_task is None:
            return Decision("chat", ("the customer declined a human",), topic="declined", task=s.conversation.task)
    if pending.kind == "check":
        if yes and s.conversation.task:
            return go_on(s, s.conversation.task, {pending.slot: pending.value}, "the value was checked", checked=True)
        if not values_in(s, s.conversation.task):
            return ask(s, s.conversation.task, pending.slot, "the value was heard wrongly", again=True)
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
    if changed(s, values_in(s, s.conversation.task)):
        return None
    return Decision("drop", ("the customer said no",), effect_id=effect.effect_id)


def _chosen(s: Situation) -> Decision | None:
    pending = s.conversation.pending
    if pending is None or pending.kind != "choice" or not s.understood.chosen:
        return None
    return start(s, s.understood.chosen, "the customer chose")


def _which(s: Situation) -> Decision | None:
    pending, task = s.conversation.pending, s.conversation.task
    if pending is None or pending.kind != "which" or task is None:
        return None
    chosen = _reading(s, pending.options)
    return go_on(s, task, {pending.slot: chosen}, "the customer chose", checked=True) if chosen else None


def _reading(s: Situation, options: tuple[str, ...]) -> str | None:
    """The date that the customer picked of two: by naming it, its month or its day, or by its place."""
    days = {option: date.fromisoformat(option) for option in options}
    said = {date.fromisoformat(e.value) for e in s.understood.entities if e.type == "date"}
    tests: tuple[Callable[[date], bool], ...] = (
        lambda day: day in said,
        lambda day: any((day.month, day.day) == (d.month, d.day) for d in said),
        lambda day: f"{day:%B}".lower() in s.understood.text.lower(),
        lambda day: any(day.day == d.day for d in said),
    )
    for fits in tests:
        fitting = [option for option, day in days.items() if fits(day)]
        if len(fitting) == 1:
            return fitting[0]
    place = _PLACE.search(s.understood.text)
    return options[0 if place.lastgroup == "first" else -1] if place else None


def _repair(s: Situation) -> Decision | None:
    if s.understood.act == "repeat":
        return Decision("repeat", ("asked to repeat",), task=s.conversation.task)
    if s.pending_slot in values_in(s, s.conversation.task):
        return None
    if s.understood.act == "never_mind":
        if not (s.conversation.task or s.conversation.pending):
            nothing = Decision("chat", ("never mind, and nothing is open",), topic="ack")
            return None if is_question(s.understood.text) else nothing
        effect = s.effect_asked
        beside = answer(s, "asked beside it") if is_question(s.understood.text) else None
        return Decision(
            "drop",
            ("never mind",),
            effect_id=effect.effect_id if effect else None,
            then=beside and replace(beside, task=None, then=None),
        )
    return None


def _one_more(s: Situation) -> Decision | None:
    """Another number for the task that waits for a yes, wished for beside the first and not in its place."""
    question, values = open_question(s), values_in(s, s.conversation.task)
    if s.effect_asked is None or question is None or not _BESIDE.search(s.understood.text):
        return None
    numbers = [(n, v) for n, v in values.items() if s.business.slots[n].type == "pattern"]
    if not numbers or not changed(s, dict(numbers)) or _switches(s, s.conversation.task or "", values):
        return None
    return replace(question, reasons=("one more of the same",), more=tuple(numbers), again=True)


def _value_given(s: Situation) -> Decision | None:
    """A value for the open task, or another one for the task just done or refused."""
    task = s.conversation.task or s.conversation.last_task
    values = values_in(s, task)
    if task is None or not values or _switches(s, task, values):
        return None
    if s.conversation.task and (s.pending_slot in values or s.wanted_task == task):
        return go_on(s, task, values, "a value was given")
    if changed(s, values):
        return go_on(s, task, values, "another value was given")
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


def _language_not_served(s: Situation) -> Decision | None:
    code = s.understood.unserved
    if not code or s.spoken or s.conversation.unserved > 1:
        return None
    return Decision("not_served", (f"written in {code}",), task=s.conversation.task, topic=code, then=open_question(s))


def _task_wanted(s: Situation) -> Decision | None:
    if s.wanted_task is None or _asks_about(s):
        return None
    if negated(s.understood.text, s.wanted_task):
        effect = s.effect_asked
        return Decision("drop", ("the wish is denied",), effect_id=effect.effect_id if effect else None)
    return start(s, s.wanted_task, f"understood as {s.wanted_task} ({s.understood.confidence:.2f})")


def _asks_about(s: Situation) -> bool:
    """Whether a turn that sounds like a task rather asks something, and a page answers that."""
    if isinstance(s.found, NoPassageFound) or values_in(s, s.wanted_task):
        return False
    question = is_question(s.understood.text)
    if question and s.wanted_task == s.conversation.task:
        return True
    unsure = question and s.understood.confidence < TASK_FROM
    return (unsure or bool(_ABOUT.match(s.understood.text))) and s.found.score >= ABOUT_FROM


def _fixed_answer(s: Situation) -> Decision | None:
    intent = s.business.intents.get(s.understood.intent or "")
    if intent and intent.say:
        return Decision("say", (f"understood as {s.understood.intent}",), topic=s.understood.intent)
    return None


def _passage_fits(s: Situation) -> Decision | None:
    awaits = s.pending_slot is not None and not is_question(s.understood.text)
    if s.understood.intent in _SMALL_TALK or awaits:
        return None
    return answer(s, "a passage fits")


def _misfit(s: Situation) -> Decision | None:
    pending = s.conversation.pending
    if pending is None or s.understood.intent in _SMALL_TALK:
        return None
    question = open_question(s)
    if question and s.understood.intent in (None, PAGES) and is_question(s.understood.text):
        return Decision(
            "chat",
            ("a question that no page answers",),
            topic="not_known",
            task=s.conversation.task,
            then=question,
        )
    if pending.kind == "slot" and s.conversation.task:
        missed = near_miss(s.understood.text, s.understood.entities, s.business.slots[pending.slot])
        again = ask(s, s.conversation.task, pending.slot, "the answer did not fit", again=True)
        return replace(again, value=missed) if missed and again.action == "ask" else again
    if pending.kind in ("confirm", "which") and question and s.conversation.asked < MAX_ASKED:
        return replace(question, reasons=("an answer to something else",), again=True)
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
    question = open_question(s)
    if name in ("yes", "no") and question:
        return replace(question, reasons=(f"{name} answers nothing",), again=True)
    if name in _CHAT:
        topic = _CHAT[name]
        return Decision("chat", (f"understood as {name}",), topic=topic, task=s.conversation.task, then=question)
    if name == "complaint":
        return Decision("offer_human", ("a complaint",), task=s.conversation.task, topic="sorry")
    return None


_RULES: tuple[Callable[[Situation], Decision | None], ...] = (
    _with_human,
    _unsure_ear,
    _human_wanted,
    _human_needed,
    _yes_or_no,
    _chosen,
    _which,
    _repair,
    _one_more,
    _value_given,
    _language_not_served,
    _task_wanted,
    _fixed_answer,
    _passage_fits,
    _misfit,
    _near_intents,
    _small_talk,
    lambda s: unknown(s, "none of the intents and no passage fits"),
)
