"""A small writer of SVG: elements as text, escaped, with numbers kept short. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LETTER_WIDTH = 0.55
"""Of the font's size: a mean over ordinary text, for fitting; fonts differ."""


def element(name: str, *children: str, **attributes: str | float | None) -> str:
    """An element; `children` are elements already, attributes are escaped here.

    `_` in an attribute's name stands for `-`, one at its end for nothing (`class_`); None leaves it
    out.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_value(value))}"
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def group(*children: str, tip: str | None = None, **attributes: str | float | None) -> str:
    """Elements that belong together; `tip` is shown where the pointer rests on them."""
    title = () if tip is None else (element("title", text_of(tip)),)
    return element("g", *title, *children, **attributes)


def rect(x: float, y: float, width: float, height: float, **attributes: str | float | None) -> str:
    return element("rect", x=x, y=y, width=max(0.0, width), height=height, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: str | float | None) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def polygon(points: Sequence[tuple[float, float]], **attributes: str | float | None) -> str:
    written = " ".join(f"{_value(x)},{_value(y)}" for x, y in points)
    return element("polygon", points=written, **attributes)


def label(x: float, y: float, text: str, **attributes: str | float | None) -> str:
    """A line of text; `y` is its base line."""
    return element("text", text_of(text), x=x, y=y, **attributes)


def document(width: float, height: float, *children: str, title: str, about: str) -> str:
    """The whole file, with a background of its own, so that it reads on light and on dark pages."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + element(
            "svg",
            element("title", text_of(title)),
            element("desc", text_of(about)),
            rect(0.5, 0.5, width - 1, height - 1, rx=8, fill="#ffffff", stroke="#d0d7de"),
            *children,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_value(width)} {_value(height)}",
            width=width,
            height=height,
            role="img",
            font_family=FONT,
            font_size=12,
            fill="#1f2328",
        )
        + "\n"
    )


def text_of(text: str) -> str:
    """Text as it may stand in an element: escaped, and without what XML cannot hold."""
    return escape("".join(each if _allowed(each) else "\ufffd" for each in text))


def fitted(text: str, width: float, size: float) -> str:
    """The text, shortened to about that width."""
    most = int(width / (size * _LETTER_WIDTH))
    if len(text) <= most:
        return text
    return text[: max(0, most - 1)].rstrip() + "…"


def width_of(text: str, size: float) -> float:
    """About how wide the text is."""
    return len(text) * size * _LETTER_WIDTH


def _allowed(character: str) -> bool:
    code = ord(character)
    return (
        character in "\t\n\r"
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or (0x10000 <= code <= 0x10FFFF)
    )


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return "".join(each if _allowed(each) else "\ufffd" for each in value)
    return f"{value:.2f}".rstrip("0").rstrip(".")
