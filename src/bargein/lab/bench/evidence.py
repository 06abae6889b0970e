"""Dated files of evidence: what was measured, on which machine, at which commit."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

import bargein
from bargein.errors import DeviceError

_PACKAGES = ("aiortc", "msgspec", "numpy", "openai", "pybase64", "websockets", "uvicorn")
_ROOT = Path(bargein.__file__).parent


def machine() -> dict[str, Any]:
    """The computer and what runs on it, as far as it bears on a figure."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "load_1_min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def commit() -> dict[str, Any]:
    """Of the package's own repository; `id` is None where it is installed without one.

    `changed` names files of the package that differ from the commit.
    """
    if _git("ls-files", "--error-unmatch", "__init__.py") is None:
        return {"id": None, "version": bargein.__version__, "changed": []}
    changed = _git("status", "--porcelain", "--no-renames", "--", ".") or ""
    return {
        "id": _git("rev-parse", "--short=9", "HEAD"),
        "version": bargein.__version__,
        "changed": sorted(line[3:] for line in changed.splitlines()),
    }


def prepare(folder: Path) -> None:
    """Make the folder before the work is done whose result goes there.

    Raises `DeviceError` where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be written: {error.strerror or error}") from error


def write(folder: Path, kind: str, told: Mapping[str, Any]) -> Path:
    """Write `kind-YYYY-MM-DD-COMMIT.json`; a later run of the same day and commit replaces it.

    Raises `DeviceError` where the folder cannot be written.
    """
    now = datetime.now(UTC)
    at = commit()
    whole = {
        "what": kind,
        "date": now.isoformat(timespec="seconds"),
        "commit": at,
        "machine": machine(),
        **told,
    }
    file = folder / f"{kind}-{now.date().isoformat()}-{at['id'] or at['version']}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
    except OSError as error:
        raise DeviceError(f"{file}: cannot be written: {error.strerror or error}") from error
    return file


def _git(*arguments: str) -> str | None:
    """What git says in the package's folder; None where it refuses or is not there."""
    try:
        done = subprocess.run(
            ("git", "-C", str(_ROOT), *arguments), capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
