"""`scripts/ingest`: reads a business's pages into its index, and opens that index for the server."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import Executor
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from agent.business import Business
from agent.errors import OpenlineError
from agent.knowledge.index import EmbeddedIndex
from agent.knowledge.ingest import Report, ingest, load_current
from agent.knowledge.retrieval import Retrieval
from agent.understanding.embedding import MiniLM
from pipelines.settings import Settings


class Pages:
    """The current version of a business's pages; a newer one on disk takes its place."""

    def __init__(self, index: EmbeddedIndex, home: Path) -> None:
        self._index = index
        self._pointer = home / "current"
        self._seen = self._stamp()

    def current(self) -> EmbeddedIndex:
        """The version to search now."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._index = load_current(self._pointer.parent) or self._index
            self._seen = stamp
        return self._index

    def _stamp(self) -> int:
        return self._pointer.stat().st_mtime_ns if self._pointer.exists() else 0


def home_of(settings: Settings) -> Path:
    return settings.data_dir / "knowledge" / settings.business.resolve().name


def open_knowledge(settings: Settings, business: Business, encoder: MiniLM) -> Pages:
    """The business's pages, read anew where they have changed. Blocks. Raises KnowledgeFault."""
    home = home_of(settings)
    index, _ = ingest([business.folder / "knowledge"], encoder, home, language=business.languages[0])
    return Pages(index, home)


def make_retrieval(pages: Pages, encoder: MiniLM, pool: Executor) -> Retrieval:
    return Retrieval(pages.current, lambda text: encoder.encode([text])[0], pool)


def main() -> int:
    parser = argparse.ArgumentParser(
        "scripts/ingest",
        description="Reads pages (Markdown, HTML, PDF, DOCX, text) into the knowledge index; "
        "a running server uses them at once.",
    )
    parser.add_argument("path", nargs="*", type=Path, help="files or folders; default the business's knowledge folder")
    parser.add_argument("--business", type=Path, help="the business's folder; default examples/acme, or BUSINESS")
    parser.add_argument("--data-dir", type=Path, help="where data is kept; default ./var, or DATA_DIR")
    arguments = parser.parse_args()
    given = {k: v for k, v in vars(arguments).items() if v is not None and k != "path"}
    settings = Settings(**given)
    console = Console()
    try:
        encoder = MiniLM(settings.data_dir / "cache")
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("reading")
            _, report = ingest(
                arguments.path or [settings.business / "knowledge"],
                encoder,
                home_of(settings),
                progress=lambda what, done, total: bar.update(task, description=what, completed=done, total=total or 1),
            )
    except OpenlineError as fault:
        console.print(str(fault), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; the version before stays in use.")
        return 130
    console.print(_table(report))
    return 0


def _table(report: Report) -> Table:
    table = Table("page", "what", title=f"{report.chunks} chunks")
    for name, what in [*((f, "new or changed") for f in report.new), *((f, "kept") for f in report.kept)]:
        table.add_row(name, what)
    for name in report.removed:
        table.add_row(name, "removed")
    for name, why in report.unreadable.items():
        table.add_row(name, f"[red]not read: {why}[/red]")
    return table


if __name__ == "__main__":
    sys.exit(main())
