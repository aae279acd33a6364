"""What is denied is not wanted; what is not liked may be."""

from __future__ import annotations

import pytest

from agent.understanding.negation import negated


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("don't renew my books, card 2000001", "renew_loan"),
        ("Please don’t cancel order 10002", "cancel_order"),
        ("I never asked to cancel 10002!", "cancel_order"),
        ("Do not ship 10003 to 12 Elm Street", "change_address"),
        ("I don't want to return anything", "start_return"),
        ("no please do not return 10030", "start_return"),
    ],
)
def test_a_denied_wish_is_noticed(text: str, intent: str) -> None:
    assert negated(text, intent)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("I don't want order 10004 any more", "cancel_order"),
        ("don't need it any more, cancel 10004", "cancel_order"),
        ("why don't you cancel it", "cancel_order"),
        ("it does not work, I want to return it", "start_return"),
        ("never received my order 10007", "order_status"),
        ("can you not just cancel it", "cancel_order"),
        ("do not cancel it", None),
    ],
)
def test_other_noes_deny_nothing(text: str, intent: str | None) -> None:
    assert not negated(text, intent)
