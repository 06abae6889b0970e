"""The words of an item that were heard so far."""

from __future__ import annotations

from tests.scenarios.rig import Talk

TEXT = "Once upon a time, at the edge of the sea, there stood a house."


def speaking() -> Talk:
    talk = Talk()
    talk.speaking(ms=2_000)
    talk.words("A", TEXT)
    return talk


def test_the_words_come_as_they_are_heard_and_not_as_they_are_made() -> None:
    talk = speaking()
    assert talk.machine.words_heard("A") == ""
    shown = []
    for ms in (400, 800, 1_200, 1_600):
        talk.heard("A", ms)
        shown.append(talk.machine.words_heard("A"))
    assert all(TEXT.startswith(each) for each in shown)
    assert 0 < len(shown[0]) < len(shown[1]) < len(shown[2]) < len(shown[3]) < len(TEXT)


def test_to_ask_changes_nothing() -> None:
    asked, silent = speaking(), speaking()
    for talk in (asked, silent):
        talk.heard("A", 900)
    asked.machine.words_heard("A")
    for talk in (asked, silent):
        talk.cut_at(950)
    assert asked.mirrored("A") == silent.mirrored("A")


def test_of_a_cut_item_they_are_the_mirrors() -> None:
    talk = speaking()
    talk.cut_at(1_000)
    assert talk.machine.words_heard("A") == talk.mirrored("A").text != ""


def test_of_an_item_that_is_not_known_there_are_none() -> None:
    assert Talk().machine.words_heard("A") == ""
