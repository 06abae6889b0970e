"""The parts of a `multipart/form-data` body (RFC 7578). Pure.

A library for it would be a dependency for one request with two short parts. Bounded by the caller,
who read the body.
"""

from __future__ import annotations

from email.message import Message

_MOST_PARTS = 16


def boundary_of(content_type: str) -> str | None:
    """The boundary that a `Content-Type` names; None if it is no form."""
    header = _header(content_type)
    boundary = header.get_param("boundary", header="content-type")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        return None
    return boundary or None


def fields(body: bytes, boundary: str) -> dict[str, bytes]:
    """The parts by name, a repeated one by its last; what has no name is left out.

    Line ends inside of a part stay as they are.
    """
    found: dict[str, bytes] = {}
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1", "replace"))
    for part in parts[:_MOST_PARTS]:
        if part.startswith(b"--"):
            break
        head, _, content = part.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(":")
            if name.strip().lower() == "content-disposition":
                named = _header(value.strip()).get_param("name", header="content-type")
                if isinstance(named, str):
                    found[named] = content
    return found


def _header(value: str) -> Message:
    header = Message()
    header["content-type"] = value
    return header
