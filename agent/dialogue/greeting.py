"""The first words of a session: a greeting, or the thread picked up where it was lost."""

from __future__ import annotations

from agent.business import Business
from agent.conversation import Conversation
from agent.llm.prompt import Medium
from agent.phrases import Phrases


def first_words(conversation: Conversation, business: Business, phrases: Phrases, medium: Medium) -> str:
    """What the agent says when a session begins. Pure."""
    business, phrases = business.within(conversation.language), phrases.within(conversation.language)
    if not any(turn.user_text for turn in conversation.turns):
        if conversation.customer_id:
            words = welcome(conversation, phrases)
            return phrases.say("welcome_call", welcome=words, agent=business.agent_name, name=business.name)
        return business.greeting.voice if medium == "voice" else business.greeting.text
    question = _open_question(conversation, business, phrases)
    return phrases.say("resume_call", question=question) if conversation.cut_off else question


def welcome(conversation: Conversation, phrases: Phrases) -> str:
    """To a customer who has proved to be known: by name where it is remembered."""
    name = conversation.known.get("name")
    return phrases.say("welcome_name", customer=name) if name else phrases.say("welcome")


def _open_question(conversation: Conversation, business: Business, phrases: Phrases) -> str:
    pending = conversation.pending
    if pending and pending.kind in ("slot", "check") and pending.slot in business.slots:
        slot = business.slots[pending.slot]
        return phrases.say("resume_asked", title=slot.title, ask=slot.ask)
    if pending and pending.kind == "confirm" and pending.effect_id in conversation.effects:
        return conversation.effects[pending.effect_id].question
    return phrases.say("resume")
