"""The demo's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bargein.errors import LocalValueError
from bargein.lab.outdir import prepare, write_text


def test_a_folder_is_made_with_its_parents_and_a_probe_is_not_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    prepare(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_there_keeps_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    prepare(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "x"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(LocalValueError, match=r"^out: .*file is a file; name a folder$"):
        prepare(file)
    with pytest.raises(LocalValueError, match=r"^out: .*below cannot be written"):
        prepare(file / "below")


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    # Nobody, root included, makes files there.
    with pytest.raises(LocalValueError, match=r"^out: /proc/self cannot be written: .*; name"):
        prepare(Path("/proc/self"))


def test_what_is_written_is_whole_and_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("old")
    file.chmod(0o644)
    write_text(file, "new ✓\n")
    assert file.read_bytes() == "new ✓\n".encode()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    place = tmp_path / "report.json"
    place.mkdir()
    with pytest.raises(LocalValueError, match=r"report\.json cannot be written"):
        write_text(place, "x")
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
