"""Questions without a page are grouped by meaning, the most asked first."""

from __future__ import annotations

from pathlib import Path

from agent.knowledge.gaps import Unanswered, group
from agent.understanding.embedding import HashEncoder, MiniLM


def test_questions_of_one_meaning_are_one_gap_and_the_most_asked_comes_first(model_cache: Path) -> None:
    asked = [
        Unanswered("do you have wifi", 1.0, "a"),
        Unanswered("can I get a flu shot", 2.0, "b"),
        Unanswered("could you give me a flu shot", 3.0, "c"),
        Unanswered("is a flu shot something you offer", 4.0, "d"),
    ]
    first, second = group(asked, MiniLM(model_cache))
    assert [q.at for q in first.questions] == [4.0, 3.0, 2.0] and "flu" in first.title
    assert [q.text for q in second.questions] == ["do you have wifi"]


def test_one_customer_who_asks_often_is_one_voice() -> None:
    nagging = [Unanswered("do you have wifi", float(n), "a") for n in range(5)]
    others = [Unanswered("flu shot", 10.0, "b"), Unanswered("flu shot", 11.0, "c")]
    assert [gap.title for gap in group([*nagging, *others], HashEncoder())] == ["flu shot", "do you have wifi"]


def test_no_question_is_no_gap() -> None:
    assert group([], HashEncoder()) == []
