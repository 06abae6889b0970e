"""What is installed is what is said: versions, names, and a base install that needs no extra."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import bargein

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(bargein.__path__, prefix="bargein.")
)
EXTRAS = ("espeakng_loader", "soundfile", "starlette", "uvicorn")
SERVER_ONLY = "bargein.server."


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_version_is_the_same_in_all_places() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    assert newest is not None
    places = {PROJECT["project"]["version"], newest[1], metadata.version("bargein")}
    assert places == {bargein.__version__}


def test_every_public_name_exists_and_is_told_by_dir() -> None:
    assert len(set(bargein.__all__)) == len(bargein.__all__)
    for name in bargein.__all__:
        assert getattr(bargein, name) is not None
        assert name in dir(bargein)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        bargein.no_such_name  # noqa: B018  reading it is the test


def test_every_module_can_be_imported() -> None:
    assert len(MODULES) > 50
    for name in MODULES:
        importlib.import_module(name)


def test_the_package_and_its_public_names_need_no_extra() -> None:
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in EXTRAS)
    loaded = python(
        f"import sys; {blocked}; import bargein\n"
        "for name in bargein.__all__: getattr(bargein, name)\n"
        "import bargein.cli, bargein.cli.trace\n"
        "print('\\n'.join(sys.modules))"
    ).split()
    assert "bargein.client" in loaded
    assert [name for name in loaded if name.startswith(SERVER_ONLY)] == []


def test_importing_the_package_alone_loads_nothing_heavy() -> None:
    loaded = python("import sys, bargein; print('\\n'.join(sys.modules))").split()
    assert {"numpy", "websockets", "asyncio", "rich"}.isdisjoint(loaded)


def test_every_dependency_of_an_extra_is_locked() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    locked = {package["name"] for package in lock["package"]}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = PROJECT["project"]["dependencies"] + [each for of in extras.values() for each in of]
    names = {re.split(r"[\[<>=~! ;]", each, maxsplit=1)[0] for each in wanted}
    assert names - {"bargein"} <= locked


def test_licences_of_what_is_carried_are_carried_too() -> None:
    files = PROJECT["project"]["license-files"]
    assert {"LICENSE", "NOTICE"} <= set(files)
    for name in files:
        assert (ROOT / name).is_file()
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for work in ("Silero", "pydantic-ai", "Permission is hereby granted", "espeak-ng"):
        assert work in notice
