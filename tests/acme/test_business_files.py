from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.business import Business
from agent.loading import load_business
from agent.tools.registry import Tool

MIN_PAGES = 14
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)


@pytest.fixture(scope="session")
def business(acme: Path) -> Business:
    return load_business(acme)[0]


@pytest.fixture(scope="session")
def pages(acme: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """File name -> (front matter, body)."""
    found = {}
    for path in sorted((acme / "knowledge").glob("*.md")):
        parts = _FRONT_MATTER.match(path.read_text())
        assert parts, f"{path.name} has no front matter"
        found[path.name] = (yaml.safe_load(parts[1]), parts[2])
    return found


def test_each_task_has_a_tool_whose_parameters_are_its_slots(business: Business, tools: Mapping[str, Tool]) -> None:
    for name, intent in business.intents.items():
        if intent.tool:
            assert list(tools[intent.tool].required) == intent.slots, name
    assert {intent.tool for intent in business.intents.values() if intent.tool} == set(tools)


def test_every_slot_is_asked_for_and_used(business: Business) -> None:
    used = {slot for intent in business.intents.values() for slot in intent.slots}
    assert used == set(business.slots)


def test_the_order_number_pattern_fits_five_digits_alone(business: Business) -> None:
    pattern = business.slots["order_number"].pattern
    assert re.fullmatch(pattern, "12345")
    assert not re.fullmatch(pattern, "1234") and not re.fullmatch(pattern, "123456")


def test_the_reasons_are_the_ones_that_the_tool_takes(business: Business, tools: Mapping[str, Tool]) -> None:
    taken = tools["start_return"].parameters["properties"]["reason"]["enum"]
    assert list(business.slots["reason"].choices) == taken


def test_no_word_stands_for_two_reasons(business: Business) -> None:
    words = Counter(word for words in business.slots["reason"].choices.values() for word in words)
    assert [word for word, count in words.items() if count > 1] == []


def test_each_intent_has_12_to_20_examples_and_none_belongs_to_two(business: Business) -> None:
    said = Counter(example.lower() for intent in business.intents.values() for example in intent.examples)
    assert [example for example, count in said.items() if count > 1] == []
    assert {name: len(i.examples) for name, i in business.intents.items() if not 12 <= len(i.examples) <= 20} == {}


def test_some_intents_always_go_to_a_person_and_have_no_tool(business: Business) -> None:
    human = {name for name, intent in business.intents.items() if intent.human}
    assert human == {"legal_threat", "fraud", "injury", "wholesale", "press"}
    assert not any(business.intents[name].tool for name in human)


def test_three_starters_are_offered(business: Business) -> None:
    assert len(business.starters) == 3
    assert business.folder.name == "acme"


def test_pages_have_titles_addresses_and_a_readable_length(
    pages: Mapping[str, tuple[dict[str, Any], str]],
) -> None:
    assert len(pages) >= MIN_PAGES
    for name, (front, body) in pages.items():
        assert set(front) == {"title", "url"}, name
        assert front["url"].startswith("https://acmehome.example/"), name
        assert body.lstrip().startswith(f"# {front['title']}\n"), name
        assert 200 <= len(body.split()) <= 500, (name, len(body.split()))


@pytest.mark.parametrize("key", ["title", "url"])
def test_no_two_pages_share_a_title_or_an_address(pages: Mapping[str, tuple[dict[str, Any], str]], key: str) -> None:
    assert len({front[key] for front, _ in pages.values()}) == len(pages)


def test_most_headings_are_questions_and_none_stands_twice(
    pages: Mapping[str, tuple[dict[str, Any], str]],
) -> None:
    headings = [h for _, body in pages.values() for h in re.findall(r"^## (.+)$", body, re.MULTILINE)]
    assert len(set(headings)) == len(headings)
    assert sum(heading.endswith("?") for heading in headings) / len(headings) > 0.75


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        (r"free when your goods come to (\$\d+)|from (\$\d+) go free", "$49"),
        (r"express[^.]*costs (\$\d+\.\d\d)", "$14.95"),
        (r"(\$[\d.]+) for a label from Canada|From Canada we deduct (\$[\d.]+)", "$9.95"),
        (r"hold[^.]*?released within (\d+) business days|it is released within (\d+) business days", "5"),
        (r"Lark pillow[^.]*?costs (\$\d+)", "$45"),
        (r"usually\s+(?:answers\s+)?within\s+(\d+ minutes)", "30 minutes"),
    ],
)
def test_a_fact_has_one_value_wherever_it_stands(
    acme: Path, pages: Mapping[str, tuple[dict[str, Any], str]], fact: str, value: str
) -> None:
    text = "\n".join([*(body for _, body in pages.values()), (acme / "agent.yaml").read_text()])
    values = {v for match in re.finditer(fact, text, re.IGNORECASE) for v in match.groups() if v}
    assert values == {value}


def test_prices_on_the_pages_are_the_prices_of_the_shop(
    acme: Path, pages: Mapping[str, tuple[dict[str, Any], str]]
) -> None:
    shop = (acme / "shop.py").read_text()
    prices = {name: int(cents) // 100 for name, cents in re.findall(r'^    "([^"]+)": (\d+),$', shop, re.MULTILINE)}
    guides = pages["coffee-and-kettles.md"][1] + pages["bedding.md"][1]
    for name in ("Brewster coffee machine", "Wren grinder", "Juniper kettle", "Nimbus duvet", "Lark pillow"):
        assert f"${prices[name]}" in guides, name


def test_the_care_team_has_the_same_hours_everywhere(business: Business, pages: Mapping[str, Any]) -> None:
    hours = "Monday to Saturday 9 a.m. to 6 p.m. Eastern"
    assert hours in " ".join(business.hand_off.chat.split())
    assert "Monday to Saturday from 9 a.m. to 6 p.m. Eastern" in pages["contact.md"][1]
