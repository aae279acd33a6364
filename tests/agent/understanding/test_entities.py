from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.understanding.addresses import canonical, find_addresses
from agent.understanding.entities import find_entities
from agent.understanding.spoken import from_speech as written
from agent.understanding.values.days import date_orders

TODAY = date(2026, 5, 13)
"""A Wednesday."""
PATTERNS = {"order_number": r"\d{5}", "code": r"[A-Z]{2}-\d{4}"}

# text | type=value ...
TABLE = """
order 10007|order_number=10007
order #10007, please|order_number=10007
order no. 1 0 0 0 7|order_number=10007
order12345|order_number=12345
10-007|order_number=10007
10 007|order_number=10007
12,345|order_number=12345
the order is 10007 not 10008|order_number=10007 order_number=10008
$10007|money=10007 USD
it cost 12345 dollars|money=12345 USD
1 2 3 4 5 6|number=1 number=2 number=3 number=4 number=5 number=6
ab-1234|code=AB-1234
AB 1234|code=AB-1234
call 212-555-0199 about 10007|phone=+12125550199 order_number=10007
tomorrow|date=2026-05-14
next Tuesday|date=2026-05-19
Tuesday at 3 pm|date=2026-05-19 time=15:00
this Friday|date=2026-05-15
next Friday at half past four|date=2026-05-22 time=16:30
in two weeks|date=2026-05-27
in 3 days|date=2026-05-16
on the 13th|date=2026-05-13
on the 3rd|date=2026-06-03
the thirteenth of June|date=2026-06-13
June 5|date=2026-06-05
June 5th, 2027|date=2027-06-05
5 June 2026|date=2026-06-05
March 3|date=2027-03-03
I bought it on March 3|date=2026-03-03
2026-06-01|date=2026-06-01
6/1/2026|date=2026-06-01
6/1|date=2026-06-01
31.12.2026|date=2026-12-31
yesterday|date=2026-05-12
two weeks ago|date=2026-04-29
day after tomorrow|date=2026-05-15
a week from Friday|date=2026-05-22
Friday the 15th|date=2026-05-15
Monday, June 1st|date=2026-06-01
noon tomorrow|time=12:00 date=2026-05-14
15:30|time=15:30
at 3|time=15:00
at 10 tomorrow|time=10:00 date=2026-05-14
quarter to five|time=16:45
10 in the morning|time=10:00
$12.50|money=12.50 USD
20 euros|money=20 EUR
€1.299,50|money=1299.50 EUR
I have two kettles|number=2
one of them|
no one|
the second one|
I ordered 3 lamps|number=3
may I ask|
can you march on|
second time I call|
j.smith@example.com|email=j.smith@example.com
it was 3.5 stars|number=3.5
the first one|
February 30|number=30
at 3 Elm Street|number=3
order 10007 on the 20th|order_number=10007 date=2026-05-20
by the end of the month|date=2026-05-31
last Monday|date=2026-05-11
I ordered it on Monday|date=2026-05-11
on Wednesday|date=2026-05-20
sun is shining|
sat down|
24/7 support|
call me at 5:30 pm on Friday|time=17:30 date=2026-05-15
"""
CASES = [tuple(line.rsplit("|", 1)) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_values_are_found_with_their_types(text: str, wanted: str) -> None:
    found = find_entities(text, patterns=PATTERNS, today=TODAY)
    assert " ".join(f"{e.type}={e.value}" for e in found) == wanted
    assert all(text[e.start : e.end] == e.text for e in found)


PAIRS = yaml.safe_load((Path(__file__).parent / "spoken_and_typed.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("spoken", "typed", "wanted"), PAIRS)
def test_spoken_and_typed_forms_give_the_same_values(spoken: str, typed: str, wanted: str) -> None:
    for text in (written(spoken), typed):
        found = find_entities(text, patterns=PATTERNS, today=TODAY)
        assert " ".join(f"{e.type}={e.value}" for e in found) == wanted


def test_there_are_enough_pairs() -> None:
    assert len(PAIRS) >= 80


@pytest.mark.parametrize(
    ("spoken", "typed"),
    [
        ("twelve elm street boston massachusetts oh two one one five", "12 Elm Street, Boston, MA 02115"),
        (
            "one twenty three main street springfield illinois six two seven oh one",
            "123 Main St, Springfield, IL 62701",
        ),
    ],
)
def test_a_spoken_and_a_typed_address_are_one(spoken: str, typed: str) -> None:
    one, other = (find_addresses(text)[0] for text in (written(spoken), typed))
    assert canonical(one.value) == canonical(other.value) and one.complete and other.complete


def test_the_region_settles_which_number_is_the_month() -> None:
    def day(region: str) -> str:
        (found,) = find_entities("3/4", patterns={}, today=TODAY, region=region)
        return found.value

    assert day("US") == "2027-03-04"
    assert day("GB") == "2027-04-03"


@pytest.mark.parametrize(
    ("languages", "region", "stated", "text", "wanted"),
    [
        (["en"], "US", True, "3/4", ("2027-03-04", None)),
        (["en"], "GB", True, "3/4", ("2027-04-03", None)),
        (["de"], "DE", True, "3/4", ("2027-04-03", None)),
        (["en-GB"], "US", False, "3/4", ("2027-04-03", None)),
        (["en"], "US", False, "3/4", ("2027-03-04", "2027-04-03")),
        (["en"], "CA", True, "3/4", ("2027-04-03", "2027-03-04")),
        (["en", "es"], "US", True, "3/4/2027", ("2027-03-04", "2027-04-03")),
        (["en"], "CA", True, "13/4", ("2027-04-13", None)),
        (["en"], "CA", True, "4/13", ("2027-04-13", None)),
        (["en"], "CA", True, "4/4", ("2027-04-04", None)),
    ],
)
def test_a_date_in_figures_has_two_readings_where_the_locale_leaves_a_doubt(
    languages: list[str], region: str, stated: bool, text: str, wanted: tuple[str, str | None]
) -> None:
    orders = date_orders(languages, region, region_stated=stated)
    (found,) = find_entities(text, patterns={}, today=TODAY, region=region, orders=orders)
    assert (found.value, found.alternative) == wanted


def test_the_third_is_a_day_where_a_day_was_asked_for() -> None:
    assert find_entities("no, the third", patterns={}, today=TODAY) == []
    (found,) = find_entities("no, the third", patterns={}, today=TODAY, awaited={"date"})
    assert found.value == "2026-06-03"


def test_the_day_after_counts_from_the_day_last_spoken_of() -> None:
    (found,) = find_entities("rather the day after", patterns={}, today=TODAY, anchor=date(2026, 6, 1))
    assert found.value == "2026-06-02"


@pytest.mark.parametrize(
    "text", ["this is ridiculous", "it's Tern Skillet", "I'm sorry", "it is broken", "This is Acme"]
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert [e for e in find_entities(text, patterns={}, today=TODAY) if e.type == "name"] == []


def test_pounds_are_money_where_the_region_pays_with_them_and_dollars_are_the_regions_own() -> None:
    assert find_entities("3 pounds", patterns={}, today=TODAY, region="GB")[0].value == "3 GBP"
    assert find_entities("3 dollars", patterns={}, today=TODAY, region="CA")[0].value == "3 CAD"


def test_a_date_in_another_language_is_found() -> None:
    found = find_entities("Lieferung bitte am 3. Juni", patterns={}, today=TODAY, region="DE", language="de")
    assert [e.value for e in found if e.type == "date"] == ["2026-06-03"]


def test_the_same_day_is_read_from_any_day_of_the_year() -> None:
    for month in range(1, 13):
        today = date(2024, month, 29)
        for text in ("tomorrow", "in a month", "the 31st", "next Monday", "on the 30th", "February 29", "yesterday"):
            for found in find_entities(text, patterns={}, today=today):
                date.fromisoformat(found.value)


def test_an_order_number_is_no_phone_number_and_the_other_way_round() -> None:
    seven = {"card_number": r"\d{7}"}
    assert [e.type for e in find_entities("card 4451203", patterns=seven, today=TODAY)] == ["card_number"]
    assert [e.type for e in find_entities("call 212-555-0199", patterns=seven, today=TODAY)] == ["phone"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                "1 12 10007 $ / - . : am may next friday the 3rd in weeks ago at 5 € , @ +49 31 february".split()
            ),
            st.text(max_size=6),
        ),
        max_size=30,
    ),
    st.dates(min_value=date(1970, 1, 1), max_value=date(2100, 1, 1)),
)
def test_any_words_have_entities_that_do_not_overlap(words: list[str], today: date) -> None:
    found = find_entities(" ".join(words), patterns=PATTERNS, today=today)
    assert all(a.end <= b.start for a, b in pairwise(found))
