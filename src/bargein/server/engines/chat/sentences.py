"""Text as it streams in, cut into pieces that can be spoken one after the other. Pure.

1. A piece ends behind a sentence: at `.`, `!`, `?` or `…` with what closes a quotation, before
   white space; at a full-width stop; at the end of a line. A full stop ends none behind a number
   of a list, an initial or a usual abbreviation.
2. A piece of fewer than `LEAST` characters waits for the next, since a voice stumbles over "Ah." by
   itself; a first one may be shorter, for it is waited for.
3. Text that goes on for `MOST` characters is cut at the last comma or space.
4. The pieces joined are the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LEAST_FIRST, LEAST, MOST = 2, 16, 240

_END = re.compile(r"(?:[.!?…]+[\"'”’)\]]*(?=\s))|(?:[\u3002\uff01\uff1f]+)|(?:\n+)")
_ABBREVIATED = re.compile(
    r"(?:(?:^|[\s(\"'])(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|e\.g|i\.e|No|Fig|approx|[ap]\.m|[A-Z])"
    r"|(?:^|\n)\s*\d{1,3})\.$"
)
_PAUSE = re.compile(r".*[,;:–—](?=\s)", re.DOTALL)
_SPACE = re.compile(r".*\s", re.DOTALL)

_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_LINE_HEAD = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|[-*+•][ \t]+|>[ \t]?)", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*\)")
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1")
_WORD_UNDERSCORE = re.compile(r"(?<=\w)_(?=\w)")


class Splitter:
    """One answer's text."""

    def __init__(self) -> None:
        self._rest = ""
        self._least = LEAST_FIRST
        self._looked = 0

    def push(self, text: str) -> Iterator[str]:
        """The pieces that are whole now."""
        self._rest += text
        while (end := self._end_of_piece()) is not None:
            piece, self._rest = self._rest[:end], self._rest[end:]
            self._looked = 0
            self._least = LEAST
            yield piece

    def flush(self) -> str:
        """What is left at the end of the text, "" if nothing."""
        rest, self._rest, self._looked = self._rest, "", 0
        return rest

    def _end_of_piece(self) -> int | None:
        rest = self._rest
        for match in _END.finditer(rest, self._looked):
            end = match.end()
            said = rest[:end].strip()
            if len(said) < self._least or not any(map(str.isalnum, said)):
                continue
            if rest[match.start()] == "." and _ABBREVIATED.search(rest[:end].rstrip()):
                continue
            return end
        # An end needs what stands behind it: look again at the last few characters only.
        self._looked = max(0, len(rest) - 8)
        if len(rest) > MOST:
            for cut in (_PAUSE, _SPACE):
                found = cut.match(rest, 0, MOST)
                if found and found.group().strip():
                    return found.end()
            return MOST
        return None


def speakable(text: str) -> str:
    """The text as a voice should say it: without the marks of Markdown."""
    text = _FENCE.sub("", text)
    text = _LINE_HEAD.sub("", text)
    text = _LINK.sub(r"\1", text)
    for _ in range(2):
        text = _EMPHASIS.sub(_unmarked, text)
    return " ".join(text.split())


def _unmarked(match: re.Match[str]) -> str:
    """The emphasised text; an underscore inside a word marks nothing."""
    if match[1].startswith("_"):
        before = match.string[match.start() - 1 : match.start()]
        after = match.string[match.end() : match.end() + 1]
        if before.isalnum() or after.isalnum():
            return match[0]
    return match[2]
