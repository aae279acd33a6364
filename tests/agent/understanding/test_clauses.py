from __future__ import annotations

import pytest

from agent.understanding.clauses import clauses


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("cancel 10004 and tell me where 10007 is", ["cancel 10004", "tell me where 10007 is"]),
        ("Cancel 10004. Also, change the email", ["Cancel 10004", "change the email"]),
        ("yes, and where is 10007?", ["yes", "where is 10007?"]),
        ("return 10009. It's broken. And where is 10007?", ["return 10009. It's broken", "where is 10007?"]),
        ("please cancel 10001 and 10002", []),
        ("the lamp came broken and I was very sad", []),
        ("where is my order", []),
        ("do this and do that now and do another thing and do the fourth one", []),
    ],
)
def test_clauses_that_may_be_wishes_are_told_apart(text: str, wanted: list[str]) -> None:
    whole, *parts = clauses(text, [])
    assert whole.text == text and [part.text for part in parts] == wanted
