"""What many tests share: a small business that is no shop, models loaded once, a developer's .env kept out."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.settings import Settings

os.environ["LOGURU_AUTOINIT"] = "False"  # Pipecat's debug lines quote people

if TYPE_CHECKING:
    from pipelines.runtime import Runtime

LIBRARY = Path(__file__).parent / "businesses" / "library"
ACME = Path(__file__).parent.parent / "examples" / "acme"


@pytest.fixture(autouse=True)
def _no_env_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built graphs and verified weights, shared by the whole run."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def settings(tmp_path: Path, model_cache: Path) -> Settings:
    """Settings of a server with its own data and the library as its business."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "cache").symlink_to(model_cache)
    return Settings(business=LIBRARY, data_dir=data_dir, port=0)


@asynccontextmanager
async def _started(settings: Settings) -> AsyncIterator[Runtime]:
    from pipelines.runtime import Runtime  # takes a second: tests of the core do without

    started = await Runtime.start(settings, voice=False)
    try:
        yield started
    finally:
        await started.stop()


@pytest.fixture
async def runtime(settings: Settings) -> AsyncIterator[Runtime]:
    """The library's agent, text only."""
    async with _started(settings) as started:
        yield started


@pytest.fixture
def acme_settings(settings: Settings) -> Settings:
    """The same with the shop; skipped where examples/ is absent."""
    if not ACME.is_dir():
        pytest.skip("examples/ is absent")
    return settings.model_copy(update={"business": ACME})


@pytest.fixture
async def acme(acme_settings: Settings) -> AsyncIterator[Runtime]:
    async with _started(acme_settings) as started:
        yield started


CI = os.environ.get("CI") == "true"
