"""`scripts/bench intents` on a small set of ours: the energy supplier's examples, strangers' words, off-topic talk."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from lab import intents as bench
from lab.intent_data import DataFault, read_csv, read_json

HELD_OUT = yaml.safe_load((Path(__file__).parents[1] / "agent" / "understanding" / "held_out.yaml").read_text())
OURS = HELD_OUT["energy supplier"]
ROWS = {part: [[text, name] for name, texts in OURS[part].items() for text in texts] for part in ("train", "test")}
CLINC = {**ROWS, "oos_train": [[t, "oos"] for t in OURS["out_of_scope"][:8]]}
CLINC["oos_test"] = [[t, "oos"] for t in OURS["out_of_scope"][8:]]


@pytest.fixture
def run(tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command; (exit code, what it printed, what it complained)."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "cache").symlink_to(model_cache)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))

    def go(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        code = bench.main()
        out, err = capsys.readouterr()
        return code, out, err

    return go


def write_csv(path: Path, rows: list[list[str]], label: str = "label") -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["text", label], *rows])
    return path


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_of_clincs_form_is_measured_and_plotted(run: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "ours.json", json.dumps(CLINC))
    code, out, _ = run(file, "--json", "--plot", tmp_path / "plot.svg")
    scores = json.loads(out)
    assert code == 0
    assert list(scores) == [
        "accuracy",
        "oos_auroc",
        "calibration_error",
        "embed_ms_p50",
        "fast_accuracy",
        "fast_per_second",
    ]
    assert scores["accuracy"] >= 0.8 and scores["oos_auroc"] >= 0.85
    assert 0.3 <= scores["fast_accuracy"] < scores["accuracy"]
    assert 0 <= scores["calibration_error"] <= 1 and scores["embed_ms_p50"] > 0 and scores["fast_per_second"] > 0
    assert ElementTree.parse(tmp_path / "plot.svg").getroot().tag.endswith("svg")


def test_two_csv_files_are_measured_and_the_bins_hold_every_text(run: Any, tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", ROWS["train"], "category")
    test = write_csv(tmp_path / "test.csv", ROWS["test"], "category")
    code, out, err = run("--train", train, "--test", test)
    assert code == 0
    assert "accuracy" in out and "Reliability" in out and "learning 6 intents from 48 texts" in err
    counts = [int(line.split("│")[2]) for line in out.splitlines() if line.startswith("│") and "-" in line[:14]]
    assert sum(n for n in counts if n) == len(ROWS["test"])


def test_without_anything_out_of_scope_its_measure_is_null(run: Any, tmp_path: Path) -> None:
    train, test = write_csv(tmp_path / "a.csv", ROWS["train"]), write_csv(tmp_path / "b.csv", ROWS["test"])
    assert json.loads(run("--train", train, "--test", test, "--json")[1])["oos_auroc"] is None


def test_files_are_read_by_rfc_4180_and_labels_of_clinc_in_csv_too(tmp_path: Path) -> None:
    crlf = 'text,label\r\n"one, with a comma",a\r\n"two ""quoted""\r\nlines",b\r\n\r\nnothing of it,oos\r\n'
    train = write(tmp_path / "a.csv", b"\xef\xbb\xbf" + crlf.encode())
    test = write(tmp_path / "b.csv", "id,category,text\n1,a,x\u2028y\n2,out_of_scope,z")
    data = read_csv(train, test)
    assert data.train == {"a": ["one, with a comma"], "b": ['two "quoted"\r\nlines']}
    assert (data.test, data.oos_train, data.oos_test) == ([("x\u2028y", "a")], ["nothing of it"], ["z"])


GOOD = "text,label\nhello,a\nbye,b\n"


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        ("", GOOD, r"a\.csv:1: the file is empty"),
        (" \n", GOOD, r"a\.csv:1: the file is empty"),
        ("hello,a\nbye,b\n", GOOD, r"a\.csv:1: no column text; expected a first line text,label"),
        ("text,kind\nhello,a\n", GOOD, r"a\.csv:1: no column label \(or category\)"),
        ("text,label\nhello, you,a\n", GOOD, r"a\.csv:2: 3 fields where the first line has 2; put a text with a comma"),
        ("text,label\nhello,\n", GOOD, r"a\.csv:2: an empty text or label; fill it or remove the line"),
        ('text,label\nhello,a\n"bye,b\n', GOOD, r"a\.csv:3: .*inside quotes"),
        (b"text,label\n\xff\xfe,a\n", GOOD, r"a\.csv: not UTF-8 at byte 11; save the file as UTF-8"),
        ("text,label\nhello,a\n", GOOD, r"a\.csv: 1 intents to learn from; add texts"),
        (GOOD, "text,label\n", r"b\.csv: no text to test with; add some"),
        (
            "text,label\nhello,greeting\nbye,goodbye\n",
            "text,label\nhi,greeting\nhey,greetings\n",
            r'b\.csv:3: no example to learn "greetings" from \(did you mean "greeting"\?\); add some or remove',
        ),
    ],
)
def test_each_fault_of_a_csv_names_file_line_and_remedy(
    tmp_path: Path, train: str | bytes, test: str, told: str
) -> None:
    files = write(tmp_path / "a.csv", train), write(tmp_path / "b.csv", test)
    with pytest.raises(DataFault, match=told):
        read_csv(*files)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", r"d\.json:1: the file is empty"),
        ('{"train": [\n["a", "b"],,]}', r"d\.json:2: no JSON \(.*expected an object with the lists"),
        ("[]", r'd\.json:1: expected an object with the lists "train" and "test"'),
        ('{"train": []}', r'd\.json:1: expected an object with the lists "train" and "test"'),
        (
            '{"train": [["a", "x"],\n ["b", "y"],\n ["c"]], "test": []}',
            r'd\.json:3: entry 3 of "train" is not \["a text".*mend',
        ),
        ('{"train": [["a", "x"], ["b", "y"]],\n "test": [\n["a", "z"]]}', r'd\.json:3: no example to learn "z"'),
        ('{"train": [["a", "x"]], "test": [["a", "x"]]}', r"1 intents to learn"),
        ('{"train": [["a", "x"], ["b", "y"]], "test": [["a", "x"]], "oos_test": 3}', r'"oos_test" is no list'),
    ],
)
def test_each_fault_of_a_json_file_names_its_place_and_remedy(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(DataFault, match=told):
        read_json(write(tmp_path / "d.json", content))


def test_a_file_that_is_not_there_is_said_in_one_line(run: Any, tmp_path: Path) -> None:
    code, out, err = run(tmp_path / "none.json")
    assert (code, out) == (2, "")
    assert err.strip().endswith("none.json: No such file or directory; give the path of a file that can be read")


@pytest.mark.parametrize("words", [[], ["--train", "a.csv"], ["x.json", "--train", "a.csv", "--test", "b.csv"]])
def test_other_arguments_are_refused_with_the_remedy(run: Any, capsys: Any, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2
    assert "give either FILE, or both --train and --test" in capsys.readouterr().err


def test_a_plot_that_cannot_be_written_is_refused_before_the_work(run: Any, capsys: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run("x.json", "--plot", tmp_path / "nowhere" / "plot.svg")
    assert "does not exist; make it first" in capsys.readouterr().err
