"""Who a customer is: what they claim, what vouches for it, and whether the business's rule is met. Pure.

    claimed by            vouched for by                 `enough` is met by   `ask: [slots]` is met by
    --------------------  -----------------------------  -------------------  ---------------------------------
    a caller's number     the carrier                    the number           the number and every slot's value
    an e-mail, said       nobody                         saying it            the same
    a number, said        nobody                         never                the same
    a user id             the business's site, signed    the id               the same

The values that are asked for must be ones that are remembered of that customer. Who offers too many of them
is guessing, and so are many conversations in a day that claim one customer and prove nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import phonenumbers

from agent.business import Identity, Proof

Kind = Literal["phone", "email", "user_id"]
MAX_GUESSES = 5
"""So many different values may be offered for one slot in one conversation."""
MAX_STRANGERS = 10
"""So many conversations in a day may claim the same without proof; after that asking proves nothing until the next."""
DAY_SECS = 86_400.0
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Claim:
    """Something that the customer is known by."""

    kind: Kind
    value: str
    canonical: str
    vouched: bool = False
    """Whether somebody else than the customer says so: the carrier, or the business's site."""

    @property
    def key(self) -> tuple[Kind, str]:
        return self.kind, self.canonical


@dataclass(frozen=True)
class Profile:
    """A customer as far as a conversation's claims and words touch them."""

    customer_id: str
    created_at: float
    holds: frozenset[tuple[Kind, str]]
    """Those of the claims by which this customer is known."""
    vouched: frozenset[tuple[Kind, str]]
    """Those of them that the carrier or the site has named: a number that somebody only said may be another's."""
    remembers: frozenset[tuple[str, str]]
    """Those of the said (fact, value) that are remembered of this customer."""


Said = Mapping[str, Sequence[str]]
"""Every value that was said in the conversation, by the fact's name."""


def proved(claims: Sequence[Claim], said: Said, profiles: Sequence[Profile], rules: Identity, now: float) -> list[str]:
    """The customers that this conversation has proved to be, the oldest first; several are one and the same."""
    proofs = []
    for claim in claims:
        holders = [profile for profile in profiles if claim.key in profile.holds]
        strangers = sum(now - profile.created_at < DAY_SECS for profile in holders)
        rule = rules.of(claim.kind)
        if may_prove(claim, said, rule) and (rule.enough or strangers <= MAX_STRANGERS):
            proofs += [p for p in holders if _fits(p, claim, said, rule)]
    return list(dict.fromkeys(p.customer_id for p in sorted(proofs, key=lambda p: (p.created_at, p.customer_id))))


def may_prove(claim: Claim, said: Said, rule: Proof) -> bool:
    """Whether it makes sense to look whose claim this is; without it nothing is looked up at all."""
    if rule.enough:
        return claim.vouched or claim.kind == "email"
    return bool(rule.ask) and all(1 <= len(set(said.get(slot, ()))) <= MAX_GUESSES for slot in rule.ask)


def _fits(profile: Profile, claim: Claim, said: Said, rule: Proof) -> bool:
    if rule.enough:
        return claim.kind == "email" or claim.key in profile.vouched
    return all(any((slot, value) in profile.remembers for value in said.get(slot, ())) for slot in rule.ask)


def plain(value: str) -> str:
    """A value by its letters and digits alone: equal values are written in many ways."""
    return _NO_WORD.sub("", value).casefold()


def phone_number(text: str, region: str) -> str | None:
    """A telephone number in E.164; None for what is none, such as "anonymous"."""
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def claim(kind: Kind, value: str, region: str, *, vouched: bool = False) -> Claim | None:
    """The claim of a value; None where it is no such value."""
    value = value.strip()
    canonical = {"phone": phone_number(value, region), "email": value.lower(), "user_id": value}[kind]
    return Claim(kind, value, canonical, vouched) if canonical else None


def anyhow(text: str, region: str) -> list[Claim]:
    """Everything that an administrator may have meant by naming a customer so."""
    kinds: list[Kind] = ["email"] if "@" in text else ["phone", "user_id"]
    if "@" in text:
        kinds.append("user_id")
    return [found for kind in kinds if (found := claim(kind, text, region))]
