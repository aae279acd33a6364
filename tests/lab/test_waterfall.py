"""The latency waterfall: stages sum to what is shown, the picture shows every turn."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from agent.events import Stage, TurnMeasured
from lab.waterfall import STAGES, UNACCOUNTED, png, stage_ms, table, used_stages

FULL: dict[Stage, float] = {stage: 10.0 * (index + 1) for index, stage in enumerate(get_args(Stage))}


def _turn(stages_ms: dict[Stage, float], total_ms: float | None = None) -> TurnMeasured:
    total = sum(stages_ms.values()) if total_ms is None else total_ms
    return TurnMeasured(at=1.0, turn_id="t", stages_ms=stages_ms, total_ms=total)


def _printed(turns: list[TurnMeasured], labels: list[str], width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table(turns, labels))
    return out.getvalue()


def test_every_stage_that_a_turn_may_have_is_shown_in_order() -> None:
    assert get_args(Stage) == STAGES
    assert list(stage_ms(_turn(FULL))) == list(STAGES)


def test_the_shown_stages_sum_to_the_total() -> None:
    whole = _turn(FULL)
    assert sum(stage_ms(whole).values()) == whole.total_ms == 450.0
    assert UNACCOUNTED not in stage_ms(whole)


@pytest.mark.parametrize("rest", [25.0, -25.0])
def test_time_that_no_stage_accounts_for_is_shown_as_such(rest: float) -> None:
    turn = _turn(FULL, 450.0 + rest)
    assert stage_ms(turn)[UNACCOUNTED] == rest
    assert sum(stage_ms(turn).values()) == turn.total_ms
    assert f"{rest:.0f}" in _printed([turn], []).split()


def test_the_table_has_a_row_a_turn_and_no_column_that_is_empty() -> None:
    turns = [_turn({"endpointing": 200.4, "stt": 230.0}), _turn({"endpointing": 210.0, "playout": 40.0})]
    assert used_stages(turns) == ["endpointing", "stt", "playout"]
    rows = [line.split() for line in _printed(turns, ["where is my order", "one [two]"]).splitlines()[-3:-1]]
    assert rows == [
        ["1", "200", "230", "0", "430", "where", "is…"],
        ["2", "210", "0", "40", "250", "one", "[two]"],
    ]


def test_all_stages_fit_into_a_terminal_of_80_columns() -> None:
    wide = _turn(dict.fromkeys(STAGES, 1234.0))
    last = _printed([wide] * 12, ["a question that is much longer than its place"] * 12).splitlines()[-2]
    assert last.split()[:11] == ["12", *["1234"] * 9, "11106"]
    assert last.rstrip().endswith("…")


def test_the_picture_grows_with_the_turns(tmp_path: Path) -> None:
    from PIL import Image

    sizes = []
    for count in (1, 5):
        path = tmp_path / f"{count}.png"
        png([_turn(FULL)] * count, path, ["a question"])
        with Image.open(path) as picture:
            colours = picture.convert("RGB").getcolors(1 << 20)
            assert colours is not None and len(colours) > len(STAGES)
            sizes.append(picture.size)
    assert sizes[1][0] == sizes[0][0]
    assert sizes[1][1] > sizes[0][1]


def test_nothing_measured_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no measured turn"):
        png([], tmp_path / "none.png")


def test_matplotlib_is_loaded_only_for_the_picture() -> None:
    probe = "import sys, lab.waterfall; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=Path(__file__).parents[2], check=False).returncode == 0
