"""What `import bargein` gives, and what it costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing

import pytest

import bargein
from bargein.core import notices


def test_every_public_name_is_there() -> None:
    assert sorted(bargein.__all__) == list(bargein.__all__)
    for name in bargein.__all__:
        assert getattr(bargein, name) is not None
    assert set(dir(bargein)) == set(bargein.__all__)


def test_every_notice_and_every_error_is_public() -> None:
    for notice in typing.get_args(notices.Notice):
        assert getattr(bargein, notice.__name__) is notice
    for name, value in vars(bargein.errors).items():
        if inspect.isclass(value) and issubclass(value, bargein.BargeinError):
            assert getattr(bargein, name) is value


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="microscope"):
        bargein.microscope  # noqa: B018  # reading it is the test


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, bargein\n"
        "heavy = {'numpy', 'websockets', 'msgspec', 'asyncio', 'uvicorn', 'rich', 'soundfile'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "bargein.connect\n"
        "heavy = {'uvicorn', 'starlette', 'rich', 'click', 'soundfile', 'bargein.server'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)
