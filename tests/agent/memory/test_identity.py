"""The rule: who is known, and who stays a stranger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.business import Identity, Proof
from agent.memory.identity import MAX_GUESSES, MAX_STRANGERS, Claim, Profile, anyhow, claim, phone_number, plain, proved

NOW = 1_800_000_000.0
DAY = 86_400.0
CALLER = Claim("phone", "+12125550100", "+12125550100", vouched=True)
SAID_PHONE = replace(CALLER, vouched=False)
EMAIL = Claim("email", "anna@example.com", "anna@example.com")
USER = Claim("user_id", "u-17", "u-17", vouched=True)
ENOUGH = Identity(phone=Proof(enough=True), email=Proof(enough=True))
ASK = Identity(phone=Proof(ask=["order"]), email=Proof(ask=["order", "name"]), user_id=Proof(ask=["order"]))


def profile(
    *claims: Claim, name: str = "c", age_days: float = 100, remembers: tuple[tuple[str, str], ...] = ()
) -> Profile:
    holds, vouched = frozenset(c.key for c in claims), frozenset(c.key for c in claims if c.vouched)
    return Profile(name, NOW - age_days * DAY, holds, vouched, frozenset(remembers))


ANNA = profile(CALLER, EMAIL, USER, remembers=(("order", "12345"), ("name", "Anna")))


@pytest.mark.parametrize(
    ("who", "rules", "said", "known"),
    [
        (CALLER, ENOUGH, {}, True),
        (SAID_PHONE, ENOUGH, {}, False),  # whoever types a number has not called from it
        (EMAIL, ENOUGH, {}, True),
        (CALLER, Identity(), {}, False),
        (EMAIL, Identity(), {}, False),
        (USER, Identity(), {}, True),
        (CALLER, ASK, {}, False),
        (CALLER, ASK, {"order": ["12345"]}, True),
        (SAID_PHONE, ASK, {"order": ["12345"]}, True),
        (CALLER, ASK, {"order": ["54321"]}, False),
        (CALLER, ASK, {"order": ["54321", "12345"]}, True),
        (EMAIL, ASK, {"order": ["12345"]}, False),  # the name is asked for as well
        (EMAIL, ASK, {"order": ["12345"], "name": ["Anna"]}, True),
        (CALLER, ASK, {"order": [*map(str, range(MAX_GUESSES)), "12345"]}, False),
    ],
)
def test_the_rule_decides(who: Claim, rules: Identity, said: dict[str, list[str]], known: bool) -> None:
    assert proved([who], said, [ANNA], rules, NOW) == (["c"] if known else [])


def test_nobody_is_known_by_what_they_do_not_hold() -> None:
    other = replace(EMAIL, canonical="bob@example.com")
    assert proved([other], {}, [ANNA], ENOUGH, NOW) == []


def test_a_number_that_somebody_only_said_does_not_make_its_owner_them() -> None:
    planted = profile(SAID_PHONE, name="who said it")
    assert proved([CALLER], {}, [planted], ENOUGH, NOW) == []
    assert proved([CALLER], {}, [planted, ANNA], ENOUGH, NOW) == ["c"]


def test_two_who_are_proved_in_one_conversation_are_one_the_oldest_first() -> None:
    by_phone = profile(CALLER, name="by phone", age_days=5)
    by_email = profile(EMAIL, name="by e-mail", age_days=50, remembers=(("order", "12345"), ("name", "Anna")))
    rules = Identity(phone=Proof(enough=True), email=ASK.email)
    said = {"order": ["12345"], "name": ["Anna"]}
    assert proved([CALLER, EMAIL], said, [by_phone, by_email], rules, NOW) == ["by e-mail", "by phone"]
    assert proved([CALLER, EMAIL], {"order": ["12345"]}, [by_phone, by_email], rules, NOW) == ["by phone"]


def test_after_many_strangers_in_a_day_asking_proves_nothing_until_the_next() -> None:
    strangers = [profile(CALLER, name=f"s{n}", age_days=0.5) for n in range(MAX_STRANGERS + 1)]
    said = {"order": ["12345"]}
    assert proved([CALLER], said, [ANNA, *strangers[1:]], ASK, NOW) == ["c"]
    assert proved([CALLER], said, [ANNA, *strangers], ASK, NOW) == []
    assert proved([CALLER], said, [ANNA, *strangers], ASK, NOW + DAY) == ["c"]


def test_numbers_and_addresses_have_one_form() -> None:
    assert phone_number("(212) 555-0100", "US") == phone_number("+1 212 555 0100", "DE") == "+12125550100"
    assert [phone_number(text, "US") for text in ("anonymous", "", "12345", "sip:anna@example.com")] == [None] * 4
    assert claim("email", " Anna@Example.com ", "US") == Claim("email", "Anna@Example.com", "anna@example.com")
    assert plain("10-0 03") == plain("10003")


def test_an_administrator_may_name_a_customer_in_any_way() -> None:
    assert {c.kind for c in anyhow("+1 212 555 0100", "US")} == {"phone", "user_id"}
    assert {c.kind for c in anyhow("anna@example.com", "US")} == {"email", "user_id"}
