"""Where streamed text is cut into pieces to be spoken, and what of it a voice says."""

from __future__ import annotations

import pytest

from bargein.server.engines.chat.sentences import MOST, Splitter, speakable


def pieces(text: str, size: int = 1) -> list[str]:
    splitter = Splitter()
    whole = [
        piece
        for start in range(0, len(text), size)
        for piece in splitter.push(text[start : start + size])
    ]
    return [*whole, *filter(None, [splitter.flush()])]


@pytest.mark.parametrize("size", [1, 3, 1_000])
@pytest.mark.parametrize(
    "text",
    [
        'Yes.| Once upon a time there was a fox.| She lived by the sea!| "Did she really?"| Yes.',
        "Hi!| Dr. Fox met Mr. J. Bear at 3.14 p.m. sharp today.| They had tea, e.g. Earl Grey.",
        "My list:\n|1. Apples are the first one.|\n2. Pears are the second.|\n- And that is all.",
        "\u4f60\u597d\u3002|\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002",
        "No end in sight",
    ],
)
def test_a_piece_ends_with_its_sentence(text: str, size: int) -> None:
    assert pieces(text.replace("|", ""), size) == text.split("|")


def test_a_short_sentence_waits_for_the_next_but_not_the_first() -> None:
    assert pieces("Ah. Oh. Well, that is how it was. No.") == [
        "Ah.",
        " Oh. Well, that is how it was.",
        " No.",
    ]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_text_without_an_end_is_cut_at_a_pause_or_a_space_or_anywhere(size: int) -> None:
    for unit in ("and so on, and on ", "word ", "x"):
        text = unit * 300
        made = pieces(text, size)
        assert "".join(made) == text
        assert len(made) > 1 and max(map(len, made)) <= MOST + 1
    assert all(piece.endswith(",") for piece in pieces("and so on, and on " * 100)[:-1])


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Bold** and *soft* and `code`.", "Bold and soft and code."),
        ("## Title\n- one\n* two\n> three", "Title one two three"),
        ("See [the page](https://example.org/a_b).", "See the page."),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("***Very*** _much_", "Very much"),
        ("  plain   text \n", "plain text"),
    ],
)
def test_marks_of_markdown_are_not_said(written: str, said: str) -> None:
    assert speakable(written) == said
