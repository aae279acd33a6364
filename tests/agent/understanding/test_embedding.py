from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from agent.understanding import embedding
from agent.understanding.embedding import HashEncoder, MiniLM, WeightsUnusable


def test_vectors_have_the_published_cosines(minilm: MiniLM) -> None:
    """The three cosines of the model's page on its hub (0.695, 0.943, 0.257), less what int8 costs."""
    person, dog, happier, day = minilm.encode(
        ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    )
    assert person @ dog == pytest.approx(0.695, abs=0.05)
    assert person @ happier == pytest.approx(0.943, abs=0.05)
    assert person @ day == pytest.approx(0.257, abs=0.05)


def test_vectors_are_of_length_one_and_do_not_depend_on_their_neighbours(minilm: MiniLM) -> None:
    alone = minilm.encode(["where is my order"])
    among = minilm.encode(["x", "where is my order", "a rather long text about many things " * 20])
    assert alone.shape == (1, 384) and alone.dtype == np.float32
    assert np.array_equal(alone[0], among[1])
    assert np.linalg.norm(among, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_no_text_and_empty_text_and_endless_text_are_encoded(minilm: MiniLM) -> None:
    assert minilm.encode([]).shape == (0, 384)
    assert np.isfinite(minilm.encode(["", "word " * 3000, "\u0001\ufffd"])).all()


def test_threads_share_one_encoder(minilm: MiniLM) -> None:
    texts = [f"question number {i}" for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        vectors = list(pool.map(lambda text: minilm.encode([text])[0], texts))
    assert np.array_equal(np.stack(vectors), minilm.encode(texts))


def test_a_damaged_cache_is_built_anew(tmp_path: Path, minilm: MiniLM) -> None:
    MiniLM(tmp_path)
    (model,) = tmp_path.glob("*.onnx")
    whole = hashlib.sha256(model.read_bytes()).hexdigest()
    model.write_bytes(model.read_bytes()[:1000])
    again = MiniLM(tmp_path)
    assert hashlib.sha256(model.read_bytes()).hexdigest() == whole
    assert again.encode(["hello"])[0] @ minilm.encode(["hello"])[0] > 0.999
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".onnx", ".sha256"]


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"other")
    monkeypatch.setattr(embedding, "_weights_folder", lambda: tmp_path)
    with pytest.raises(WeightsUnusable, match=r"tokenizer\.json is not the published file"):
        MiniLM(tmp_path / "cache")


def test_weights_that_are_absent_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedding, "_PACKAGE", "no_such_package_here")
    with pytest.raises(WeightsUnusable, match="not installed"):
        MiniLM(tmp_path)


def test_importing_the_module_loads_neither_torch_nor_onnxruntime() -> None:
    code = (
        "import sys, agent.understanding.embedding;"
        "print([m for m in ('torch', 'onnxruntime', 'onnx', 'sklearn') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_twin_is_deterministic_and_near_for_shared_words() -> None:
    twin = HashEncoder()
    a, b, c = twin.encode(["cancel my order", "please cancel my order", "what is the weather"])
    assert np.array_equal(a, HashEncoder().encode(["cancel my order"])[0])
    assert a @ b > 0.7 > 0.4 > a @ c
    assert np.linalg.norm(twin.encode(["", "x"]), axis=1) == pytest.approx([1, 1])
