"""The shared stage: from a turn to guarded words. The same for every channel."""

from __future__ import annotations

from pipecat.processors.frame_processor import FrameProcessor

from agent.knowledge.prefetch import Prefetch
from agent.live import LiveConversation
from agent.llm.prompt import Medium
from agent.parts import Parts
from processors.ground import Ground
from processors.guard import Guard
from processors.think import Think
from processors.understand import Understand


def dialogue(
    parts: Parts, live: LiveConversation, medium: Medium, prefetch: Prefetch | None = None
) -> list[FrameProcessor]:
    """Understand -> Ground -> Think -> Guard."""
    return [
        Understand(parts=parts, live=live, medium=medium),  # a turn's words -> what they mean
        Ground(parts=parts, prefetch=prefetch),             # -> with passages
        Think(parts=parts, live=live),                      # -> the reply's words and acts
        Guard(vault=live.vault, purpose="speech" if medium == "voice" else "text"),  # -> what may be said
    ]  # fmt: skip
