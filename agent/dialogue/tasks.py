"""What a task needs next: a missing value, a doubtful one settled, a yes, or nothing more but its tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agent.dialogue.decision import Decision, Situation
from agent.dialogue.slots import Given, fill, is_partial, unfit
from agent.knowledge.retrieval import NoPassageFound

MAX_ASKED = 3
"""After so many vain questions for one slot a human is called."""
_LASTING = frozenset({"pattern", "email", "phone", "name"})
"""Types of slots whose values serve the next task too; a reason or a date is asked for anew."""


def start(s: Situation, name: str, why: str) -> Decision:
    """Begin what an intent asks for."""
    intent = s.business.intents[name]
    if intent.human:
        return hand_off("always_human", f"{name} always goes to a human")
    if intent.say:
        return Decision("say", (why,), topic=name, task=s.conversation.task)
    if not intent.tool:
        return answer(s, why) or unknown(s, "no passage fits the chosen question")
    return next_step(s, name, {**lasting(s, name, s.conversation.slots), **values_in(s, name)}, why)


def lasting(s: Situation, task: str, known: Mapping[str, str]) -> dict[str, str]:
    """What is known from earlier tasks that serves this one too."""
    return {
        slot: known[slot]
        for slot in s.business.intents[task].slots
        if slot in known and s.business.slots[slot].type in _LASTING
    }


def go_on(s: Situation, task: str, new: Mapping[str, str], why: str, *, checked: bool = False) -> Decision:
    """The open task with further values."""
    return next_step(s, task, {**known_to(s, task), **new}, why, checked=checked)


def known_to(s: Situation, task: str) -> dict[str, str]:
    return {k: v for k, v in s.conversation.slots.items() if k in s.business.intents[task].slots}


def next_step(s: Situation, task: str, known: Mapping[str, str], why: str, *, checked: bool = False) -> Decision:
    """Settle what is doubtful or does not fit, ask for what is missing, confirm, or call the tool."""
    intent = s.business.intents[task]
    new = {k: v for k, v in known.items() if s.conversation.slots.get(k) != v}
    settled = _unfit(s, task, known, new, why) or (None if checked else _doubtful(s, task, new, why))
    if settled:
        return settled
    for name in intent.slots:
        if name not in known:
            return replace(ask(s, task, name, why), slots=new)
    arguments = {name: known[name] for name in intent.slots}
    tool = s.tools[intent.tool]
    if tool.confirm:
        return Decision("confirm", (why,), task=task, slots=new, tool=tool.name, arguments=arguments)
    return Decision("call", (why,), finishes=task, slots=new, tool=tool.name, arguments=arguments)


def _unfit(s: Situation, task: str, known: Mapping[str, str], new: Mapping[str, str], why: str) -> Decision | None:
    """A value that does not fit is asked for again, with the reason; half of an address is kept meanwhile."""
    for name, value in known.items():
        reason = unfit(s.business.slots[name], value)
        if reason:
            kept = {k: v for k, v in new.items() if k != name or is_partial(v)}
            asked = ask(s, task, name, why, again=True)
            topic = "rest_of_address" if is_partial(value) and asked.action == "ask" else asked.topic
            return replace(asked, slots=kept, reasons=(*asked.reasons, reason), topic=topic)
    return None


def _doubtful(s: Situation, task: str, new: Mapping[str, str], why: str) -> Decision | None:
    """Ask which of two readings is meant; read back what was heard unsurely."""
    others = {n: given.alternative for n, given in _given(s, task).items() if given.alternative}
    for name, value in new.items():
        kept = {k: v for k, v in new.items() if k != name}
        other = others.get(name)
        if other:
            reason = f"{name} may be {value} or {other}"
            return Decision("which", (why, reason), task=task, slots=kept, slot=name, options=(value, other))
        if s.spoken and s.confidence < s.ear.check_below:
            reason = f"heard with confidence {s.confidence:.2f}"
            return Decision("check", (why, reason), task=task, slots=kept, slot=name, value=value)
    return None


def ask(s: Situation, task: str | None, slot: str, why: str, *, again: bool = False) -> Decision:
    asked = s.conversation.asked if s.pending_slot == slot else 0
    if asked >= MAX_ASKED:
        return hand_off("unresolved", f"{slot} was asked for {asked} times")
    return Decision("ask", (why, f"{slot} is missing"), task=task, slot=slot, again=again)


def hand_off(trigger: str, why: str) -> Decision:
    return Decision("hand_off", (why,), task=None, topic=trigger)


def answer(s: Situation, why: str) -> Decision | None:
    """What the best page says, and the open question again."""
    if isinstance(s.found, NoPassageFound):
        return None
    best = s.found.passages[0]
    return Decision("answer", (why, f"{best.source} {best.score:.2f}"), task=s.conversation.task, then=open_question(s))


def unknown(s: Situation, why: str) -> Decision:
    return Decision("unknown", (why,), task=s.conversation.task)


def open_question(s: Situation) -> Decision | None:
    """The question that the agent waits for, to come back to it after an answer."""
    pending, task = s.conversation.pending, s.conversation.task
    why = ("back to the open question",)
    if pending is None:
        return None
    if pending.kind == "slot":
        partial = is_partial(s.conversation.slots.get(pending.slot, ""))
        return Decision("ask", why, task=task, slot=pending.slot, topic="rest_of_address" if partial else None)
    if pending.kind == "which":
        return Decision("which", why, task=task, slot=pending.slot, options=pending.options)
    effect = s.effect_asked
    if effect is None:
        return None
    return Decision("confirm", why, task=task, tool=effect.tool, arguments=effect.arguments, effect_id=effect.effect_id)


def values_in(s: Situation, task: str | None) -> dict[str, str]:
    """What this turn gives to the task's slots."""
    return {name: given.value for name, given in _given(s, task).items()}


def further_values(s: Situation, task: str) -> list[tuple[str, str]]:
    """(slot, value) of what is named beside the first value: "both 10001 and 10002"."""
    return [(name, value) for name, given in _given(s, task).items() for value in given.more]


def _given(s: Situation, task: str | None) -> dict[str, Given]:
    intent = s.business.intents.get(task or "")
    if intent is None:
        return {}
    wanted = {name: s.business.slots[name] for name in intent.slots}
    return fill(s.understood.text, s.understood.entities, wanted, awaited=s.pending_slot)


def changed(s: Situation, new: Mapping[str, str]) -> bool:
    return any(s.conversation.slots.get(name) != value for name, value in new.items())
