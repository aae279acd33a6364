"""Text as it comes in, cleaned: no markup, no invisible characters, folded white space.

Text that needs nothing comes back as it was.
"""

from __future__ import annotations

import re
import unicodedata

MAX_CHARS = 4000
"""Longer input is cut before anything reads it."""

_TAGS = (
    "a|abbr|address|article|aside|audio|b|base|bdi|bdo|big|blockquote|body|br|button|canvas|caption|center|cite|"
    "code|col|dd|del|details|dfn|div|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|frame|h[1-6]|"
    "head|header|hr|html|i|iframe|img|input|ins|kbd|label|legend|li|link|main|mark|marquee|math|meta|nav|"
    "noscript|object|ol|option|p|picture|pre|q|s|samp|script|section|select|small|source|span|strike|strong|"
    "style|sub|summary|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|title|tr|tt|u|ul|var|video|wbr"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?=[\s/>])[^<>]{{0,1000}}>|<!--|<!doctype\b", re.IGNORECASE)
_NOT_A_TAG = re.compile(rf"<(?!/?(?:{_TAGS})(?=[\s/>])|!--|!doctype\b)", re.IGNORECASE)
_BLOCK = re.compile(
    r"<(?=(?:br|hr)\b|/?(?:p|div|li|ul|ol|tr|h[1-6]|table|section|article|blockquote|pre|dd|dt)\b)", re.IGNORECASE
)
_UNREAD = ["script", "style", "template", "noscript", "iframe", "object", "head", "textarea", "title"]

_JOINER = re.compile("(?<=[^\x00-\u024f\\s])[\u200c\u200d](?=[^\x00-\u024f\\s])")
_BLANKS = {ord(c): " " for c in "\u115f\u1160\u2800\u3164\uffa0"}
"""Letters by category that show nothing."""
_WIDE = {0xFF01 + n: chr(0x21 + n) for n in range(94)}
"""Full-width forms of ASCII: a card's digits are the same digits."""
_SELECTORS = range(0xE0100, 0xE01F0)
_LINE_END = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")


def clean(text: str, max_chars: int = MAX_CHARS) -> str:
    """Plain text in NFC without markup or invisible characters; lines are kept, white space is folded.

    What lies beyond `max_chars` is cut first, before anything reads the text.
    """
    text = text[:max_chars]
    if "<" in text and _TAG.search(text):
        text = _without_markup(text)
    text = _visible(unicodedata.normalize("NFC", _LINE_END.sub("\n", text)))
    return _LINES.sub("\n", _SPACES.sub(" ", text)).strip()[:max_chars]


def _without_markup(text: str) -> str:
    """The text of HTML; a `<` that opens no tag ("a < b", "I <3 you") is kept."""
    from selectolax.lexbor import LexborHTMLParser

    escaped = _NOT_A_TAG.sub("&lt;", text)
    tree = LexborHTMLParser(_BLOCK.sub("\n<", escaped).encode("utf-8", "ignore").decode())
    tree.strip_tags(_UNREAD)
    return tree.root.text(deep=True, separator="") if tree.root else ""


def _visible(text: str) -> str:
    """Without controls, format characters (zero-width, bidi, tags), selectors and lone surrogates.

    A joiner between two letters or signs that are not Latin stays: emoji, Persian and Indic scripts need it.
    """
    if text.isascii() and text.isprintable():
        return text
    needed = {match.start() for match in _JOINER.finditer(text)}
    shown = "".join(ch for place, ch in enumerate(text) if ch in "\n\t" or place in needed or _shown(ch))
    return shown.translate(_BLANKS | _WIDE)


def _shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs") and ord(character) not in _SELECTORS
