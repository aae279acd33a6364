"""A business's files: every fault at once, each with line and nearest right name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.errors import BusinessFault
from agent.loading import load_business
from tests.conftest import LIBRARY


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "business"
    shutil.copytree(LIBRARY, folder)
    return folder


def change(folder: Path, old: str, new: str) -> int:
    """Replace in agent.yaml; the line where it stands."""
    path = folder / "agent.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def faults(folder: Path) -> list[str]:
    with pytest.raises(BusinessFault) as raised:
        load_business(folder)
    return raised.value.faults


def test_a_good_business_loads() -> None:
    business, tools = load_business(LIBRARY)
    assert business.folder == LIBRARY
    assert set(tools) >= {intent.tool for intent in business.intents.values() if intent.tool}


def test_all_faults_are_listed_at_once_with_line_and_nearest_name(copy: Path) -> None:
    greeting = change(copy, "greeting:", "greetings:")
    slot = change(copy, "    type: email", "    typ: email")
    found = faults(copy)
    assert any(f":{greeting}: unknown key `greetings`; did you mean `greeting`?" in f for f in found)
    assert any(f":{slot}: unknown key `typ`; did you mean `type`?" in f for f in found)
    assert any("`greeting` is missing" in f for f in found)
    assert any("`slots.email.type` is missing" in f for f in found)


def test_a_slot_and_a_tool_that_lead_nowhere_are_named_with_the_nearest(copy: Path) -> None:
    change(copy, "tool: renew_loan", "tool: renew_lone")
    found = faults(copy)
    assert any("no tool `renew_lone` in tools.py; did you mean `renew_loan`?" in f for f in found)


def test_faults_between_the_parts_are_told_beside_faults_of_form(copy: Path) -> None:
    change(copy, "greeting:", "greetings:")
    line = change(copy, "tool: renew_loan", "tool: renew_lone")
    kind = change(copy, "type: date", "type: dat")
    found = faults(copy)
    assert any(f":{line}: no tool `renew_lone`" in f for f in found)
    assert any(f":{kind}: " in f and "unknown value `dat`; did you mean `date`?" in f for f in found)


def test_slots_that_are_no_list_are_one_fault_of_form(copy: Path) -> None:
    line = change(copy, "slots: [", "slots: 5 # [")
    assert any(f":{line}: " in f and "list" in f for f in faults(copy))


def test_a_file_that_is_not_utf_8_is_named_with_its_line(copy: Path) -> None:
    path = copy / "agent.yaml"
    path.write_bytes(path.read_bytes() + b"# caf\xe9\n")
    (fault,) = faults(copy)
    assert f":{len(path.read_bytes().splitlines())}: not UTF-8" in fault


def test_text_that_is_no_yaml_is_named_by_its_line(copy: Path) -> None:
    (copy / "agent.yaml").write_text("name: A\npersona: [unclosed\n")
    assert len(faults(copy)) == 1
    assert "agent.yaml:" in faults(copy)[0] and "not YAML" in faults(copy)[0]


def test_a_missing_knowledge_folder_is_named_with_the_remedy(copy: Path) -> None:
    shutil.rmtree(copy / "knowledge")
    assert any("knowledge: missing; make the folder" in f for f in faults(copy))


def test_a_missing_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    assert "no such folder" in faults(tmp_path / "nowhere")[0]
    assert "agent.yaml: missing" in faults(tmp_path)[0]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def a(", "cannot be imported: SyntaxError"),
        ("@tool(effect='safe')\ndef a(context):\n    'Says.'\n", "a: write it as `async def`"),
        ("@tool(effect='safe')\nasync def a(context): ...\n", "a: give it a docstring"),
        ("@tool(effect='safe')\nasync def a(order):\n    'Says.'\n", "a: its first parameter must be"),
        ("@tool(effect='safe')\nasync def a(context, order):\n    'Says.'\n", "a: parameter `order` has no type"),
        ("@tool(effect='safe')\nasync def a(context, *rest: str):\n    'Says.'\n", "a: parameter `rest` must be"),
        (
            "@tool(effect='once', confirm='Do {it}?')\nasync def a(context, order: str):\n    'Says.'\n",
            "`confirm` names {it}, which is no parameter",
        ),
    ],
)
def test_a_tool_that_cannot_serve_is_named_with_its_fault(copy: Path, source: str, told: str) -> None:
    (copy / "tools.py").write_text(f"from agent.tools.registry import tool\n{source}")
    assert any("tools.py" in f and told in f for f in faults(copy))


def test_a_translation_that_leads_nowhere_is_named_with_the_nearest(copy: Path) -> None:
    change(
        copy,
        "languages: [en]",
        "languages: [en, de]\ntranslations:\n  de:\n    slots: {card_numbre: {title: Ausweis, aks: Welche}}\n"
        "    phrases: {goodby: Tschüss}\n  fr: {}",
    )
    found = faults(copy)
    assert any("unknown name `card_numbre`; did you mean `card_number`?" in f for f in found)
    assert any("unknown name `goodby`; did you mean `goodbye`?" in f for f in found)
    assert any("`fr` is none of the business's further languages" in f for f in found)
    assert any("unknown key `aks`; did you mean `ask`?" in f for f in found)
