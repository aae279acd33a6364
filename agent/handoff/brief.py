"""The brief: what a human must know to go on where the agent stopped. A fold over the conversation."""

from __future__ import annotations

from agent.business import Business
from agent.conversation import Conversation

LAST_LINES = 3
UPSET_FROM = 0.4
"""From this frustration on the colleague is told what it comes from."""
_DONE = {"done": "done", "failed": "did not work", "unknown": "outcome unknown", "started": "outcome unknown"}


def brief(conversation: Conversation, business: Business, reason: str) -> str:
    """One paragraph: why, what is wanted, what is known, what was done, the customer's last lines."""
    parts = [f"Why: {reason}."]
    task = conversation.task or conversation.last_task
    if task and task in business.intents:
        parts.append(f"Wants to {business.intents[task].title}.")
    if conversation.waiting:
        further = [business.intents[w.task].title for w in conversation.waiting if w.task in business.intents]
        parts.append(f"Also wants to {' and to '.join(further)}.")
    if conversation.frustration_reasons and conversation.frustration >= UPSET_FROM:
        parts.append(f"Sounds upset: {', '.join(conversation.frustration_reasons)}.")
    customer = {**conversation.known, **conversation.customer_facts}
    parts += [f"{name.capitalize()}: {value}." for name, value in customer.items()]
    if conversation.slots:
        known = ", ".join(
            f"{business.slots[n].title} {v}" for n, v in conversation.slots.items() if n in business.slots
        )
        parts.append(f"Known: {known}.")
    done = [f"{e.tool.replace('_', ' ')} {_DONE[e.state]}" for e in conversation.effects.values() if e.state in _DONE]
    if done:
        parts.append(f"Done so far: {'; '.join(done)}.")
    said = [f"“{turn.user_text}”" for turn in conversation.turns[-LAST_LINES:] if turn.user_text]
    if said:
        parts.append(f"Last said: {' '.join(said)}")
    return " ".join(parts)
