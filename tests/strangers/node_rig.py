"""Runs the programs in `node/`: clients of other people, installed on demand and pinned by lock."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.server.serving_rig import MODEL
from tests.strangers.stage import Stage

PROGRAMS = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[2] / ".tools" / "strangers"
INSTALL = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
INSTALL_PATIENCE_S = 240
PATIENCE_S = 90.0


def packages(programs: Path = PROGRAMS) -> Path:
    """The installed packages. The first use installs them, exactly those of the lock file beside
    the programs; a machine without Node has to do without."""
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine: what needs its packages is not tried")
    wanted = b"".join(
        (programs / name).read_bytes() for name in ("package.json", "package-lock.json")
    )
    place = CACHE / hashlib.sha256(wanted).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests run in several processes.
        if not (place / "whole").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(programs / name, place)
            done = subprocess.run(
                INSTALL, cwd=place, capture_output=True, text=True, timeout=INSTALL_PATIENCE_S
            )
            assert done.returncode == 0, f"{' '.join(INSTALL)} failed:\n{done.stderr}"
            (place / "whole").touch()
    return place / "node_modules"


async def run(
    program: str,
    stage: Stage,
    folder: Path,
    *,
    voice: bytes,
    settings: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Any]]:
    """What a program says of its conversation on this stage: its steps by name. `voice` is what
    its user says each time; PCM, 24 kHz. `settings` are of this program."""
    for name in (program, "talk.mjs"):
        shutil.copy(PROGRAMS / name, folder)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(packages())
    speech = folder / "speech.pcm"
    speech.write_bytes(voice)
    environment = {
        "PATH": os.environ["PATH"],
        "KEY": stage.server.api_key,
        "BASE_URL": stage.server.url,
        "WS_URL": stage.url,
        "MODEL": MODEL,
        "SPEECH": str(speech),
        **(settings or {}),
    }
    process = await asyncio.create_subprocess_exec(
        "node",
        program,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            told, complaints = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise AssertionError(
            f"{program} did not end; it sent {stage.frames('client')[-3:]}"
        ) from None
    assert process.returncode == 0, complaints.decode()
    steps: list[dict[str, Any]] = [json.loads(line) for line in told.splitlines()]
    return {step["step"]: step for step in steps}
