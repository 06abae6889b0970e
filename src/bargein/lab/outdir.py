"""The demo's folder: made if it is not there, and never emptied.

What is written is whole or not there, and its owner's alone: it is the record of a conversation.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from bargein.errors import LocalValueError


def prepare(folder: Path) -> None:
    """See that files can be written there, before anybody has talked for half a minute.

    Raises `LocalValueError`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise LocalValueError(f"out: {folder} is a file; name a folder") from None
    except OSError as error:
        raise LocalValueError(
            f"out: {folder} cannot be written: {error.strerror or error}; name another folder"
        ) from error


def write_text(file: Path, text: str) -> None:
    """Write UTF-8. Raises `LocalValueError`."""
    temporary: str | None = None
    try:
        # mkstemp makes the file with mode 0600, whatever the umask.
        handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        os.replace(temporary, file)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise LocalValueError(
            f"out: {file} cannot be written: {error.strerror or error}; name another folder"
        ) from error
