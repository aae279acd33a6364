from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.caller import WhisperEar
from tests.conftest import ACME, LIBRARY
from tests.end_to_end.server import Server


@pytest.fixture(scope="session")
def data_dirs(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[type]:
    """Makes data folders that share the models' cache."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        (folder / "cache").symlink_to(model_cache)
        return folder

    yield make  # type: ignore[misc]


@pytest.fixture(scope="session")
def shop(data_dirs) -> Iterator[Server]:  # type: ignore[no-untyped-def]
    """The shop's server, with ears and voice; skipped where examples/ is absent."""
    if not ACME.is_dir():
        pytest.skip("examples/ is absent")
    with Server(data_dirs("shop"), ACME) as server:
        yield server


@pytest.fixture(scope="session")
def library(data_dirs) -> Iterator[Server]:  # type: ignore[no-untyped-def]
    with Server(data_dirs("library"), LIBRARY) as server:
        yield server


@pytest.fixture(scope="session")
def ear(model_cache: Path) -> WhisperEar:
    """Hears what the agent says as a stranger does."""
    return WhisperEar(model_cache)
