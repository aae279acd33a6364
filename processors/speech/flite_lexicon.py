"""flite's pronouncing lexicon and trained letter rules, by ctypes; absent where `libflite1` is not installed."""

from __future__ import annotations

import threading
from ctypes import CDLL, RTLD_GLOBAL, c_char_p, c_void_p
from functools import cache

_SAME_PHONE = {"ax": "AH", "ax0": "AH0", "ax1": "AH1"}

_lock = threading.Lock()


class _Lexicon:
    def __init__(self) -> None:
        self._flite = CDLL("libflite.so.1", mode=RTLD_GLOBAL)
        CDLL("libflite_usenglish.so.1", mode=RTLD_GLOBAL)
        words = CDLL("libflite_cmulex.so.1", mode=RTLD_GLOBAL)
        self._flite.flite_init()
        words.cmu_lex_init.restype = c_void_p
        self._words = words.cmu_lex_init()
        for name, result, arguments in (
            ("lex_lookup", c_void_p, [c_void_p, c_char_p, c_char_p, c_void_p]),
            ("val_car", c_void_p, [c_void_p]),
            ("val_cdr", c_void_p, [c_void_p]),
            ("val_string", c_char_p, [c_void_p]),
            ("delete_val", None, [c_void_p]),
        ):
            function = getattr(self._flite, name)
            function.restype, function.argtypes = result, arguments

    def lookup(self, word: str) -> list[str]:
        with _lock:
            first = cell = self._flite.lex_lookup(self._words, word.encode("ascii"), None, None)
            found: list[str] = []
            while cell:
                found.append(self._flite.val_string(self._flite.val_car(cell)).decode("ascii"))
                cell = self._flite.val_cdr(cell)
            if first:
                self._flite.delete_val(first)
            return found


def phones(word: str) -> tuple[str, ...] | None:
    """ARPAbet with stress for any lower-case word of plain letters; None without flite."""
    lexicon = _lexicon()
    if lexicon is None or not word.isascii() or not word.isalpha():
        return None
    return tuple(_SAME_PHONE.get(phone, phone.upper()) for phone in lexicon.lookup(word)) or None


@cache
def _lexicon() -> _Lexicon | None:
    try:
        return _Lexicon()
    except OSError:
        return None
