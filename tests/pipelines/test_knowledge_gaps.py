"""`scripts/knowledge gaps` reads what a running agent could not answer."""

from __future__ import annotations

from pipelines.knowledge import read_unanswered
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from pipelines.text import answer


async def test_a_question_without_a_page_is_kept_and_an_answered_one_is_not(
    runtime: Runtime, settings: Settings
) -> None:
    conversation_id, _ = await runtime.find_or_begin(None)
    live = await runtime.open(conversation_id, "s1", "text")
    for question in ("How long can I keep a book?", "can I get a flu shot here?"):
        async for _ in answer(question, live, runtime.parts):
            pass
    assert [q.text for q in await read_unanswered(settings)] == ["can I get a flu shot here?"]
