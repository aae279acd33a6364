from __future__ import annotations

import pytest

from agent.understanding.addresses import completed, find_addresses, put_right

KNOWN = "5 Oak Street, Dover, NH 03820"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("send it to 48 Cedar Avenue, Worcester, MA 01608 please", ["48 Cedar Avenue, Worcester, MA 01608"]),
        (
            "from 5 Oak Street, Dover, NH 03820 to 9 Mill Lane, Apt 4B, Burlington, VT 05401",
            ["5 Oak Street, Dover, NH 03820", "9 Mill Lane, Apt 4B, Burlington, VT 05401"],
        ),
        ("Hauptstraße 5, 10115 Berlin", ["Hauptstraße 5, 10115 Berlin"]),
        ("10 Downing Street London SW1A 2AA", ["10 Downing Street London SW1A 2AA"]),
        ("PO Box 220, Bangor, ME 04402", ["PO Box 220, Bangor, ME 04402"]),
        ("where is order 10007", []),
    ],
)
def test_all_addresses_in_a_text_are_found(text: str, wanted: list[str]) -> None:
    found = find_addresses(text)
    assert [a.value for a in found] == wanted and all(a.complete for a in found)


def test_a_street_alone_waits_for_its_town() -> None:
    (street,) = find_addresses("it is 5 Oak Street")
    assert (street.value, street.kind) == ("5 Oak Street", "STREET")
    for text in ("Dover, NH 03820", "it's in Dover, NH 03820"):
        change = completed(street.value, text)
        assert change and change.value == KNOWN
    assert completed(street.value, "why do you ask") is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("the zip is 12345, not 12346", "5 Oak Street, Dover, NH 12345"),
        ("no, zip code 03821", "5 Oak Street, Dover, NH 03821"),
        ("it's apartment 4B", "5 Oak Street, Apt 4B, Dover, NH 03820"),
        ("the house number is 15", "15 Oak Street, Dover, NH 03820"),
        ("15, not 5", "15 Oak Street, Dover, NH 03820"),
        ("not Oak but Elm", "5 Elm Street, Dover, NH 03820"),
        ("the city should be Denver", "5 Oak Street, Denver, NH 03820"),
        ("the order number is 10002", None),
        ("that's not bad at all", None),
    ],
)
def test_a_part_is_put_right_and_the_rest_stays(text: str, wanted: str | None) -> None:
    change = put_right(KNOWN, text)
    assert (change and change.value) == wanted
