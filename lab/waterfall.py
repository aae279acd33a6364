"""Where each turn's waiting time went: a table for the terminal and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import get_args

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from agent.events import Stage, TurnMeasured

STAGES: tuple[Stage, ...] = get_args(Stage)
"""In the order in which a turn passes them."""

UNACCOUNTED = "unaccounted"
"""The rest of a turn whose stages do not sum to its total: a fault of the measuring, so it is shown."""

_TOLERANCE_MS = 1.0

_HEADINGS = {
    "endpointing": "end-\npoint-\ning",
    "understanding": "under-\nstand-\ning",
    "retrieval": "re-\ntriev-\nal",
    "model_first_token": "model\nfirst\ntoken",
    "first_sentence": "first\nsen-\ntence",
    "tts_first_audio": "tts\nfirst\naudio",
    "transport": "trans-\nport",
    "playout": "play-\nout",
    UNACCOUNTED: "un-\nknown",
}
"""Nine stages side by side in a terminal of 80 columns."""

_COLOURS = {
    "endpointing": "#8da0b6",
    "stt": "#3b78c3",
    "understanding": "#2a9d8f",
    "retrieval": "#8ab17d",
    "model_first_token": "#e9c46a",
    "first_sentence": "#f4a261",
    "tts_first_audio": "#e76f51",
    "transport": "#9b72aa",
    "playout": "#5c4d7d",
    UNACCOUNTED: "#d62839",
}


def stage_ms(turn: TurnMeasured) -> dict[str, float]:
    """Milliseconds of every stage in order, absent ones as 0; the values sum to the turn's total.

    Where the measured stages miss the total by over a millisecond, `UNACCOUNTED` holds the difference,
    which is negative where they overlap.
    """
    spent: dict[str, float] = {stage: turn.stages_ms.get(stage, 0.0) for stage in STAGES}
    rest = turn.total_ms - sum(spent.values())
    if abs(rest) > _TOLERANCE_MS:
        spent[UNACCOUNTED] = rest
    return spent


def used_stages(turns: Sequence[TurnMeasured]) -> list[str]:
    """The stages that took time in any of the turns, in order."""
    spent = [stage_ms(turn) for turn in turns]
    return [stage for stage in (*STAGES, UNACCOUNTED) if any(row.get(stage) for row in spent)]


def table(turns: Sequence[TurnMeasured], labels: Sequence[str] = ()) -> Table:
    """One row a turn, one column a stage, in whole milliseconds; `labels` name the turns."""
    stages = used_stages(turns)
    shown = Table(
        title="What the caller waited for, in ms",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0),
    )
    shown.add_column("turn", justify="right")
    for stage in stages:
        shown.add_column(_HEADINGS.get(stage, stage), justify="right", vertical="bottom", no_wrap=True)
    shown.add_column("total", justify="right", style="bold", vertical="bottom", no_wrap=True)
    if labels:
        shown.add_column(" ")
    for number, (turn, label) in enumerate(_labelled(turns, labels), start=1):
        spent = stage_ms(turn)
        cells = [f"{spent.get(stage, 0.0):.0f}" for stage in stages]
        shown.add_row(str(number), *cells, f"{turn.total_ms:.0f}", *([escape(_shortened(label, 10))] if labels else []))
    return shown


def png(turns: Sequence[TurnMeasured], path: Path, labels: Sequence[str] = ()) -> None:
    """Stacked bars, the first turn on top. Raises ValueError without a turn."""
    if not turns:
        raise ValueError("there is no measured turn to draw")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.9 + 0.5 * len(turns)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows = range(len(turns))
    spent = [stage_ms(turn) for turn in turns]
    ends = [0.0] * len(turns)
    for stage in used_stages(turns):
        widths = [max(0.0, row.get(stage, 0.0)) for row in spent]
        bars = axes.barh(rows, widths, left=ends, height=0.62, color=_COLOURS[stage], label=stage.replace("_", " "))
        longest = max(turn.total_ms for turn in turns)
        axes.bar_label(
            bars,
            labels=[f"{width:.0f}" if width >= 0.04 * longest else "" for width in widths],
            label_type="center",
            fontsize=8,
            color="white" if stage in ("stt", "playout", "transport", UNACCOUNTED) else "black",
        )
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    for row, turn in enumerate(turns):
        axes.annotate(
            f"{turn.total_ms:.0f} ms",
            (ends[row], row),
            (5, 0),
            textcoords="offset points",
            va="center",
            weight="bold",
        )
    names = [_shortened(label, 28) for _, label in _labelled(turns, labels)]
    axes.set_yticks(rows, [f"{row + 1}  {name}".rstrip() for row, name in enumerate(names)])
    axes.invert_yaxis()
    axes.set_xlim(0, max([*ends, 1.0]) * 1.12)
    axes.set_xlabel("ms from the end of the caller's speech to the agent's first sound")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)


def _labelled(turns: Sequence[TurnMeasured], labels: Sequence[str]) -> Iterator[tuple[TurnMeasured, str]]:
    return zip(turns, chain(labels, repeat("")), strict=False)


def _shortened(label: str, width: int) -> str:
    return label if len(label) <= width else label[: width - 1].rstrip() + "…"
