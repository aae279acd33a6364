"""What waits beneath the open task: tasks that were interrupted, and further wishes of one breath.

    "cancel 10004 and tell me where 10007 is"   the first is worked on, the second waits behind it
    "both 10001 and 10002"                      the same task once more, with the second number
    "hold on, where is it?" at an open yes/no   the open task waits on top, and goes on where it was
    done, or "never mind"                       the top is gone; the next one goes on in the same answer

Pure, like the policy: a decision carries the whole list, and the fold takes it from there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.conversation import OpenTask
from agent.dialogue.decision import Decision, Situation
from agent.dialogue.tasks import further_values, known_to, lasting, next_step, values_in
from agent.understanding.understander import Wish

MAX_WAITING = 20
_INSTEAD = re.compile(r"\b(?:instead|rather|changed my mind|forget (?:it|that|about)|never ?mind)\b", re.IGNORECASE)
_ALL = re.compile(r"\b(?:all|both|everything|any of (?:it|them|that)|neither)\b", re.IGNORECASE)
_WORKS = frozenset({"ask", "check", "which", "confirm", "call"})
_ENDS = frozenset({"call", "drop", "answer", "chat", "say"})
"""Decisions after which nothing of the top task is left, where they open none."""


def first_wish(s: Situation) -> tuple[Situation, tuple[Wish, ...]]:
    """The situation with the first of a turn's wishes alone, and the wishes that come after it.

    A yes or no comes first only where it was asked for, and other tasks follow.
    """
    if len(s.understood.wishes) < 2:
        return s, ()
    wish, *later = s.understood.wishes
    pending = s.conversation.pending
    asked = pending is not None and pending.kind in ("confirm", "check")
    if wish.intent is None and (not asked or any(w.intent == s.conversation.task for w in later)):
        return s, ()
    return _only(s, wish), tuple(later)


def _only(s: Situation, wish: Wish) -> Situation:
    understood = replace(
        s.understood,
        text=wish.text,
        intent=wish.intent,
        confidence=wish.confidence,
        entities=wish.entities,
        act=wish.act,
        near=(),
        chosen=None,
        wishes=(),
    )
    return replace(s, understood=understood)


def attend(s: Situation, decision: Decision, later: Sequence[Wish]) -> Decision:
    """The decision with what waits behind it; one that ends its task is followed by the next one."""
    top = decision.task or decision.finishes
    waiting = _interrupted(s, decision, top) + list(s.conversation.waiting)
    known = {**s.conversation.slots, **decision.slots}
    added = _same_again(s, decision, top) + [_open(s, wish, known) for wish in later]
    if decision.action == "drop" and _ALL.search(s.understood.text):
        waiting = []
    waiting = [*waiting, *added][:MAX_WAITING]
    return _carrying(_followed(s, decision, waiting), waiting, added)


def _interrupted(s: Situation, decision: Decision, top: str | None) -> list[OpenTask]:
    """The open task, where another one comes before it is done, unless that one takes its place."""
    task = s.conversation.task
    if decision.action not in _WORKS or task is None or top in (None, task) or _INSTEAD.search(s.understood.text):
        return []
    return [OpenTask(task, known_to(s, task))]


def _same_again(s: Situation, decision: Decision, top: str | None) -> list[OpenTask]:
    """The task of this turn once more for each further value."""
    if decision.action not in _WORKS or top is None or top not in s.business.intents:
        return []
    known = {**known_to(s, top), **decision.slots}
    shared = {k: v for k, v in known.items() if v is not None and k in s.business.intents[top].slots}
    more = decision.more or further_values(s, top)
    return [OpenTask(top, {**shared, slot: value}) for slot, value in more]


def _open(s: Situation, wish: Wish, known: Mapping[str, str | None]) -> OpenTask:
    assert wish.intent
    kept = lasting(s, wish.intent, {k: v for k, v in known.items() if v is not None})
    return OpenTask(wish.intent, {**kept, **values_in(_only(s, wish), wish.intent)})


def _followed(s: Situation, decision: Decision, waiting: list[OpenTask]) -> Decision:
    """The decision, and behind it the next task that waits, once nothing is open any more. Takes it off `waiting`."""
    if decision.then is not None:
        return replace(decision, then=_followed(s, decision.then, waiting))
    if not waiting or decision.action not in _ENDS or decision.task is not None:
        return decision
    task = waiting.pop(0)
    s = _after(s, decision)
    step = next_step(s, task.task, task.slots, "its turn has come", checked=True)
    if decision.action == "drop" and decision.topic is None:
        decision = replace(decision, topic="dropped_one")
    return replace(decision, then=_followed(s, step, waiting))


def _after(s: Situation, decision: Decision) -> Situation:
    """The situation once a decision's values are kept and nothing is asked any more."""
    kept = {k: v for k, v in {**s.conversation.slots, **decision.slots}.items() if v is not None}
    return replace(s, conversation=replace(s.conversation, slots=kept, pending=None, asked=0, task=None))


def _carrying(decision: Decision, waiting: Sequence[OpenTask], added: Sequence[OpenTask]) -> Decision:
    """Every decision of the chain with what waits in the end; the first one with what was put off just now."""
    then = decision.then and _carrying(decision.then, waiting, ())
    put_off = tuple(task for task in added if task in waiting)
    return replace(decision, waiting=tuple(waiting), put_off=put_off, then=then)
