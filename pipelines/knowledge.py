"""`scripts/knowledge gaps`: what customers asked that no page answers."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from agent.errors import OpenlineError
from agent.knowledge.gaps import Gap, Unanswered, group
from agent.loading import load_business
from agent.store.sql import SqlJournal
from agent.understanding.embedding import MiniLM
from pipelines.settings import Settings

TURNS_READ = 20_000


async def read_unanswered(settings: Settings) -> list[Unanswered]:
    """The questions of the newest turns for which the agent had no page."""
    url = settings.database_url or f"sqlite:///{settings.data_dir / 'openline.db'}"
    journal = await SqlJournal.open(url, clock=time.time)
    try:
        turns = await journal.turn_log(limit=TURNS_READ)
    finally:
        await journal.close()
    return [
        Unanswered(t.user_text, t.started_at, t.conversation_id)
        for t in turns
        if t.decision == "unknown" and t.user_text.strip()
    ]


def main() -> int:
    parser = argparse.ArgumentParser("scripts/knowledge", description="What the pages leave unanswered.")
    parser.add_argument("what", choices=["gaps"], help="gaps: questions without a page, grouped by meaning")
    parser.add_argument("--business", type=Path, help="the business's folder; default examples/acme, or BUSINESS")
    parser.add_argument("--data-dir", type=Path, help="where data is kept; default ./var, or DATA_DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    arguments = parser.parse_args()
    settings = Settings(**{k: v for k, v in vars(arguments).items() if v is not None and k not in ("what", "json")})
    console = Console()
    try:
        zone = ZoneInfo(load_business(settings.business)[0].time_zone)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        gaps = group(asyncio.run(read_unanswered(settings)), MiniLM(settings.data_dir / "cache"))
    except OpenlineError as fault:
        console.print(str(fault), style="red", markup=False)
        return 1
    if arguments.json:
        print(json.dumps([asdict(gap) for gap in gaps], ensure_ascii=False))
    elif gaps:
        console.print(_table(gaps, zone))
    else:
        console.print("Every question found a page.")
    return 0


def _table(gaps: list[Gap], zone: ZoneInfo) -> Table:
    table = Table("asked", "question", "also as", "last", title=f"{len(gaps)} gaps")
    for gap in gaps:
        others = dict.fromkeys(q.text for q in gap.questions if q.text != gap.title)
        last = datetime.fromtimestamp(gap.questions[0].at, zone).strftime("%Y-%m-%d %H:%M")
        table.add_row(str(len(gap.questions)), _cell(gap.title), "\n".join(map(_cell, list(others)[:3])), last)
    return table


def _cell(text: str) -> str:
    return text[:200].replace("[", "\\[")


if __name__ == "__main__":
    sys.exit(main())
