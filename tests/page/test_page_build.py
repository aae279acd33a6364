"""What ships is what the source builds, it is small, and it names no other host."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path

from tests.page.fake_server import STATIC

FIRST_LOAD = ("index.html", "app.js", "app.css", "icon.svg")
FIRST_LOAD_MAX_BYTES = 120_000


def test_what_ships_is_what_the_source_builds(build_check: subprocess.CompletedProcess[str]) -> None:
    assert build_check.returncode == 0, build_check.stdout + build_check.stderr


def test_the_first_load_is_small() -> None:
    sizes = {name: len(gzip.compress((STATIC / name).read_bytes())) for name in FIRST_LOAD}
    assert sum(sizes.values()) < FIRST_LOAD_MAX_BYTES, sizes


def test_the_shell_has_no_inline_script_or_style() -> None:
    shell = (STATIC / "index.html").read_text()
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", shell) == []


def test_the_lock_names_no_hosts_and_every_version_is_pinned() -> None:
    page = STATIC.parent
    lock = json.loads((page / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []
    wanted = json.loads((page / "package.json").read_text())
    versions = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert {name: version for name, version in versions.items() if not re.fullmatch(r"[\d.]+", version)} == {}


def test_every_bundled_package_ships_its_licence() -> None:
    licences = (STATIC / "LICENSES.txt").read_text()
    for name in ("marked", "dompurify", "lit-html", "@pipecat-ai/client-js"):
        assert re.search(rf"^{re.escape(name)} \d", licences, re.MULTILINE), name


def test_nothing_of_the_build_machine_is_in_the_files() -> None:
    for path in STATIC.iterdir():
        assert str(Path.cwd()) not in path.read_text(), path.name
