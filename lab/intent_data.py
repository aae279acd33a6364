"""Labelled texts from files: CLINC150's JSON, or a pair of CSV files. Every fault names file, line and remedy."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz import process

OUT_OF_SCOPE = frozenset({"oos", "out_of_scope"})
"""Labels of texts that are none of the intents."""
_TEXT, _LABELS = "text", ("label", "category")
_JSON_FORM = 'an object with the lists "train" and "test" (and "oos_train", "oos_test") of [text, intent]'
_CSV_FORM = "a first line text,label or text,category, then a line for each text"


class DataFault(Exception):
    """A file that cannot be used; the message is for the person who gave it."""


@dataclass(frozen=True)
class Row:
    text: str
    label: str
    where: str
    """FILE:LINE"""


@dataclass(frozen=True)
class IntentData:
    """What to learn from, and what to be asked."""

    train: Mapping[str, Sequence[str]]
    """Intent -> its texts."""
    test: Sequence[tuple[str, str]]
    """(text, intent)"""
    oos_train: Sequence[str] = ()
    oos_test: Sequence[str] = ()


def read_json(path: Path) -> IntentData:
    """Raises DataFault. `val` and `oos_val` are not used."""
    content = _read(path)
    try:
        data = json.loads(content)
    except ValueError as fault:
        line = getattr(fault, "lineno", 1)
        raise DataFault(f"{path}:{line}: no JSON ({fault}); expected {_JSON_FORM}") from None
    if not isinstance(data, dict) or not all(isinstance(data.get(part), list) for part in ("train", "test")):
        raise DataFault(f"{path}:1: expected {_JSON_FORM}")
    train, test = (_json_rows(path, content, data, part) for part in ("train", "test"))
    oos_train, oos_test = (_json_rows(path, content, data, f"oos_{part}") for part in ("train", "test"))
    return _assembled((path, path), train, test, [r.text for r in oos_train], [r.text for r in oos_test])


def read_csv(train: Path, test: Path) -> IntentData:
    """Raises DataFault."""
    return _assembled((train, test), list(_csv_rows(train)), list(_csv_rows(test)), [], [])


def _read(path: Path) -> str:
    try:
        content = path.read_bytes().decode("utf-8-sig")  # line ends as they are: the csv module reads them
    except UnicodeDecodeError as fault:
        raise DataFault(f"{path}: not UTF-8 at byte {fault.start}; save the file as UTF-8") from None
    except OSError as fault:
        raise DataFault(f"{path}: {fault.strerror}; give the path of a file that can be read") from None
    if not content.strip():
        raise DataFault(f"{path}:1: the file is empty")
    return content


def _json_rows(path: Path, content: str, data: Mapping[str, Any], part: str) -> list[Row]:
    rows = []
    entries = data.get(part) or []
    if not isinstance(entries, list):
        raise DataFault(f'{path}: "{part}" is no list; expected {_JSON_FORM}')
    for place, (entry, line) in enumerate(zip(entries, _lines(content, part), strict=False), 1):
        if not (isinstance(entry, list) and len(entry) == 2 and all(isinstance(e, str) and e.strip() for e in entry)):
            raise DataFault(
                f'{path}:{line}: entry {place} of "{part}" is not ["a text", "an intent"]; mend or remove it'
            )
        rows.append(Row(entry[0], entry[1], f"{path}:{line}"))
    return rows


def _lines(content: str, part: str) -> Iterator[int]:
    """The line on which each entry of a top-level list begins."""
    opening = re.search(rf'"{part}"\s*:\s*\[', content)
    at, line, seen = opening.end() if opening else 0, 1, 0
    between, decoder = re.compile(r"[\s,]*"), json.JSONDecoder()
    while True:
        at = between.match(content, at).end()  # type: ignore[union-attr]  # it matches the empty string too
        line, seen = line + content.count("\n", seen, at), at
        yield line
        at = decoder.raw_decode(content, at)[1]


def _csv_rows(path: Path) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(_read(path), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader)]
        label = next((name for name in _LABELS if name in header), None)
        if label is None or _TEXT not in header:
            missing = "text" if _TEXT not in header else "label (or category)"
            raise DataFault(f"{path}:1: no column {missing}; expected {_CSV_FORM}")
        text_at, label_at = header.index(_TEXT), header.index(label)
        for fields in reader:
            if not fields:
                continue
            where = f"{path}:{reader.line_num}"
            if len(fields) != len(header):
                counts = f"{len(fields)} fields where the first line has {len(header)}"
                raise DataFault(f"{where}: {counts}; put a text with a comma into double quotes")
            row = Row(fields[text_at], fields[label_at].strip(), where)
            if not row.text.strip() or not row.label:
                raise DataFault(f"{where}: an empty text or label; fill it or remove the line")
            yield row
    except csv.Error as fault:
        remedy = 'write a double quote inside quotes as ""'
        raise DataFault(f"{path}:{reader.line_num}: {fault}; {remedy}") from None


def _assembled(
    paths: tuple[Path, Path], train: Sequence[Row], test: Sequence[Row], oos_train: list[str], oos_test: list[str]
) -> IntentData:
    known: dict[str, list[str]] = {}
    for row in train:
        (oos_train if row.label in OUT_OF_SCOPE else known.setdefault(row.label, [])).append(row.text)
    if len(known) < 2:
        raise DataFault(f"{paths[0]}: {len(known)} intents to learn from; add texts until there are two at least")
    asked = []
    for row in test:
        if row.label in OUT_OF_SCOPE:
            oos_test.append(row.text)
        elif row.label not in known:
            (nearest, likeness, _) = process.extractOne(row.label, list(known))
            meant = f' (did you mean "{nearest}"?)' if likeness > 60 else ""
            raise DataFault(f'{row.where}: no example to learn "{row.label}" from{meant}; add some or remove the text')
        else:
            asked.append((row.text, row.label))
    if not asked:
        raise DataFault(f"{paths[1]}: no text to test with; add some")
    return IntentData(known, asked, oos_train, oos_test)
