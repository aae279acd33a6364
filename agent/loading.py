"""Reads a business's folder and finds every fault in it at once, each with file, line and nearest right name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from agent.business import Business, HandOff, Intent, Slot
from agent.errors import BusinessFault
from agent.phrases import Phrases
from agent.tools.registry import Tool, load_tools

_MODELS: dict[str, type[BaseModel]] = {"slots": Slot, "intents": Intent, "hand_off": HandOff}


def load_business(folder: Path) -> tuple[Business, Mapping[str, Tool]]:
    """The business of a folder and its tools. Raises BusinessFault with every fault found."""
    path = folder / "agent.yaml"
    if not folder.is_dir():
        raise BusinessFault([f"{folder}: no such folder; give the folder that holds agent.yaml with --business"])
    if not path.is_file():
        raise BusinessFault([f"{path}: missing; copy the one of examples/acme and change it"])
    data, lines = _parse(path)
    faults: list[str] = []
    tools: Mapping[str, Tool] = {}
    try:
        tools = load_tools(folder / "tools.py")
    except BusinessFault as fault:
        faults += fault.faults
    business = None
    try:
        business = Business.model_validate(data, context={"folder": folder})
    except ValidationError as fault:
        faults += [_told(path, lines, e) for e in fault.errors()]
    else:
        faults += [f"{path}:{_line(lines, where)}: {what}" for where, what in _crossed(business, tools)]
    if not (folder / "knowledge").is_dir():
        faults.append(f"{folder / 'knowledge'}: missing; make the folder and put Markdown pages into it")
    if faults or business is None:
        raise BusinessFault(faults)
    return business, tools


Where = tuple[str | int, ...]


def _parse(path: Path) -> tuple[Any, dict[Where, int]]:
    """The file's data and the line of each key. Raises BusinessFault where it is no YAML."""
    text = path.read_text(encoding="utf-8")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise BusinessFault([f"{path}:{line}: not YAML: {getattr(fault, 'problem', None) or fault}"]) from None
    lines: dict[Where, int] = {}
    if root is not None:
        _note_lines(root, (), lines)
    return data if isinstance(data, dict) else {}, lines


def _note_lines(node: yaml.Node, where: Where, lines: dict[Where, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[(*where, key.value)] = key.start_mark.line + 1
            _note_lines(value, (*where, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*where, index)] = value.start_mark.line + 1
            _note_lines(value, (*where, index), lines)


def _line(lines: Mapping[Where, int], where: Where) -> int:
    """The line of a key, or of the nearest key around it."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)


def _told(path: Path, lines: Mapping[Where, int], error: Any) -> str:
    """One of pydantic's errors in a sentence."""
    where: Where = error["loc"]
    key = ".".join(map(str, where))
    if error["type"] == "extra_forbidden":
        what = f"unknown key `{where[-1]}`" + _nearest(str(where[-1]), _known_keys(where))
    elif error["type"] == "missing":
        what = f"`{key}` is missing"
    else:
        what = f"`{key}`: {error['msg'].removeprefix('Value error, ')}"
    return f"{path}:{_line(lines, where)}: {what}"


def _known_keys(where: Where) -> Iterable[str]:
    """The keys that may stand where an unknown one was found."""
    model: type[BaseModel] = Business
    if len(where) > 1:
        nested = Business.model_fields.get(str(where[0]))
        model = _MODELS.get(str(where[0])) or (nested.annotation if nested else None) or Business  # type: ignore[assignment]
    return model.model_fields


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; known are {', '.join(sorted(known))}"


def _crossed(business: Business, tools: Mapping[str, Tool]) -> Iterable[tuple[Where, str]]:
    """Faults between the parts: names that lead nowhere."""
    for name, slot in business.slots.items():
        if slot.type == "pattern" and not slot.pattern:
            yield ("slots", name), f"slot `{name}` is of type pattern and needs a `pattern`"
        if slot.type == "choice" and not slot.choices:
            yield ("slots", name), f"slot `{name}` is of type choice and needs `choices`"
    for name, intent in business.intents.items():
        yield from _crossed_intent(name, intent, business, tools)
    house = Phrases.load(business.languages[0], {}).names
    for name in business.phrases:
        if name not in house:
            yield ("phrases", name), f"unknown phrase `{name}`" + _nearest(name, house)


def _crossed_intent(
    name: str, intent: Intent, business: Business, tools: Mapping[str, Tool]
) -> Iterable[tuple[Where, str]]:
    for index, slot in enumerate(intent.slots):
        if slot not in business.slots:
            yield ("intents", name, "slots", index), f"unknown slot `{slot}`" + _nearest(slot, business.slots)
    if not intent.tool:
        return
    if intent.tool not in tools:
        yield ("intents", name, "tool"), f"no tool `{intent.tool}` in tools.py" + _nearest(intent.tool, tools)
        return
    tool = tools[intent.tool]
    for parameter in tool.required:
        if parameter not in intent.slots:
            yield (
                ("intents", name, "slots"),
                f"the tool `{tool.name}` needs `{parameter}`, which is none of the intent's slots",
            )
    for slot in intent.slots:
        if slot not in tool.parameters.get("properties", {}):
            yield ("intents", name, "slots"), f"the tool `{tool.name}` takes no `{slot}`"
