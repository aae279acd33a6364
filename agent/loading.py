"""Reads a business's folder and finds every fault in it at once, each with file, line and nearest right name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from agent.business import Business, HandOff, Identity, Intent, Proof, Slot, Translation
from agent.errors import BusinessFault
from agent.phrases import Phrases
from agent.tools.registry import Tool, load_tools

_MODELS: dict[str, type[BaseModel]] = {
    "slots": Slot,
    "intents": Intent,
    "hand_off": HandOff,
    "translations": Translation,
}


def load_business(folder: Path) -> tuple[Business, Mapping[str, Tool]]:
    """The business of a folder and its tools. Raises BusinessFault with every fault found."""
    path = folder / "agent.yaml"
    if not folder.is_dir():
        raise BusinessFault([f"{folder}: no such folder; give the folder that holds agent.yaml with --business"])
    if not path.is_file():
        raise BusinessFault([f"{path}: missing; copy the one of examples/acme and change it"])
    data, lines = _parse(path)
    faults: list[str] = []
    tools: Mapping[str, Tool] | None = None
    try:
        tools = load_tools(folder / "tools.py")
    except BusinessFault as fault:
        faults += fault.faults
    business = None
    try:
        business = Business.model_validate(data, context={"folder": folder})
    except ValidationError as fault:
        faults += [_told(path, lines, e) for e in fault.errors()]
    faults += [f"{path}:{_line(lines, where)}: {what}" for where, what in _crossed(data, tools)]
    if not (folder / "knowledge").is_dir():
        faults.append(f"{folder / 'knowledge'}: missing; make the folder and put Markdown pages into it")
    if faults or business is None or tools is None:
        raise BusinessFault(faults)
    return business, tools


Where = tuple[str | int, ...]


def _parse(path: Path) -> tuple[Any, dict[Where, int]]:
    """The file's data and the line of each key. Raises BusinessFault where it is no YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        line = fault.object[: fault.start].count(b"\n") + 1
        raise BusinessFault([f"{path}:{line}: not UTF-8; save the file in that encoding"]) from None
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
    elif error["type"] == "literal_error":
        what = f"`{key}`: unknown value `{error['input']}`" + _nearest(
            str(error["input"]), re.findall(r"'([^']+)'", error["ctx"]["expected"])
        )
    else:
        what = f"`{key}`: {error['msg'].removeprefix('Value error, ')}"
    return f"{path}:{_line(lines, where)}: {what}"


def _known_keys(where: Where) -> Iterable[str]:
    """The keys that may stand where an unknown one was found."""
    if where[0] == "translations" and len(where) > 3:
        return _known_keys(where[2:])
    model: type[BaseModel] = Business
    if where[0] == "identity":
        return (Identity if len(where) == 2 else Proof).model_fields
    if len(where) > 1:
        nested = Business.model_fields.get(str(where[0]))
        model = _MODELS.get(str(where[0])) or (nested.annotation if nested else None) or Business  # type: ignore[assignment]
    return model.model_fields


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; known are {', '.join(sorted(known))}"


def _crossed(data: Any, tools: Mapping[str, Tool] | None) -> Iterable[tuple[Where, str]]:
    """Faults between the parts, names that lead nowhere; read from the plain file, which may have other faults."""
    slots, phrases = _mapping(data, "slots"), _mapping(data, "phrases")
    for name in slots:
        kind = _mapping(slots, name).get("type")
        for needed, of in (("pattern", "pattern"), ("choices", "choice")):
            if kind == of and not _mapping(slots, name).get(needed):
                yield (
                    ("slots", name),
                    f"slot `{name}` is of type {of} and needs {'a ' if of == 'pattern' else ''}`{needed}`",
                )
    intents = _mapping(data, "intents")
    for name in intents:
        intent = _mapping(intents, name)
        named = intent.get("slots")
        named = named if isinstance(named, list) else []
        wanted = [slot for slot in named if isinstance(slot, str)]
        for slot in wanted:
            if slot not in slots:
                at = ("intents", name, "slots", named.index(slot))
                yield at, f"unknown slot `{slot}`" + _nearest(slot, slots)
        if tools is not None and intent.get("tool"):
            yield from _crossed_tool(("intents", name), str(intent["tool"]), wanted, tools)
    yield from _crossed_identity(_mapping(data, "identity"), slots)
    house = Phrases.load("en", {}).names
    for name in phrases:
        if name not in house:
            yield ("phrases", name), f"unknown phrase `{name}`" + _nearest(name, house)
    yield from _crossed_translations(data, {"slots": slots, "intents": intents, "phrases": house})


def _crossed_translations(data: Any, known: Mapping[str, Iterable[str]]) -> Iterable[tuple[Where, str]]:
    translations = _mapping(data, "translations")
    served = data.get("languages") if isinstance(data, dict) else None
    further = [str(code) for code in served[1:]] if isinstance(served, list) else []
    for code in translations:
        if code not in further:
            yield ("translations", code), f"`{code}` is none of the business's further languages"
        for part, names in known.items():
            for name in _mapping(translations[code], part):
                if name not in names:
                    yield ("translations", code, part, name), f"unknown name `{name}`" + _nearest(name, names)


def _crossed_identity(rules: Mapping[str, Any], slots: Mapping[str, Any]) -> Iterable[tuple[Where, str]]:
    """Slots that a rule asks for must exist and hold what a customer can be recognised by."""
    fitting = {name for name in slots if _mapping(slots, name).get("type") in ("pattern", "name", "address")}
    for kind in rules:
        asked = _mapping(rules, kind).get("ask")
        for index, slot in enumerate(asked if isinstance(asked, list) else []):
            at = ("identity", kind, "ask", index)
            if slot not in slots:
                yield at, f"unknown slot `{slot}`" + _nearest(str(slot), slots)
            elif slot not in fitting:
                yield at, f"`{slot}` proves nothing: a slot of type pattern, name or address is needed"


def _crossed_tool(
    where: Where, name: str, slots: Sequence[str], tools: Mapping[str, Tool]
) -> Iterable[tuple[Where, str]]:
    if name not in tools:
        yield (*where, "tool"), f"no tool `{name}` in tools.py" + _nearest(name, tools)
        return
    for parameter in tools[name].required:
        if parameter not in slots:
            what = f"the tool `{name}` needs `{parameter}`, which is none of the intent's slots"
            yield (*where, "slots"), what
    for slot in slots:
        if slot not in tools[name].parameters.get("properties", {}):
            yield (*where, "slots"), f"the tool `{name}` takes no `{slot}`"


def _mapping(data: Any, key: str) -> Mapping[str, Any]:
    """A mapping of the file by its key; empty where something else stands there."""
    found = data.get(key) if isinstance(data, dict) else None
    return {str(k): v for k, v in found.items()} if isinstance(found, dict) else {}
