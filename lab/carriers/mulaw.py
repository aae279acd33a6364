"""G.711 mu-law, the sound of the telephone: one byte a sample at 8 kHz (ITU-T G.711, section 3)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

RATE_HZ = 8000

_BIAS = 0x84
_CLIP = 32635


def _decoding_table() -> Samples:
    codes = ~np.arange(256, dtype=np.uint8)
    exponent = ((codes >> 4) & 0x07).astype(np.int32)
    mantissa = (codes & 0x0F).astype(np.int32)
    magnitude = (((mantissa << 3) + _BIAS) << exponent) - _BIAS
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _encoding_table() -> npt.NDArray[np.uint8]:
    """Code of every sample, indexed by the sample's bits as an unsigned number."""
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    biased = np.minimum(np.abs(samples), _CLIP) + _BIAS
    exponent = np.floor(np.log2(biased)).astype(np.int32) - 7
    mantissa = (biased >> (exponent + 3)) & 0x0F
    sign = np.where(samples < 0, 0x80, 0)
    codes: npt.NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes


_DECODED = _decoding_table()
_ENCODED = _encoding_table()


def encode(pcm16: Samples) -> bytes:
    """Mu-law bytes of 16-bit samples, one each."""
    return _ENCODED[np.ascontiguousarray(pcm16, dtype=np.int16).view(np.uint16)].tobytes()


def decode(mulaw: bytes) -> Samples:
    """16-bit samples of mu-law bytes, one each."""
    samples: Samples = _DECODED[np.frombuffer(mulaw, dtype=np.uint8)]
    return samples
