"""Writes docs/dialects.md from what the client does."""

from __future__ import annotations

from pathlib import Path

from bargein.lab.dialects.page import page

if __name__ == "__main__":
    (Path(__file__).parents[1] / "docs" / "dialects.md").write_text(page(), encoding="utf-8")
