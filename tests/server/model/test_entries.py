"""One item, shown in three ways."""

from __future__ import annotations

import pytest

from bargein import events
from bargein.server.model.entries import Entry, Part, entry_of
from bargein.server.model.score import Word
from bargein.units import AudioFormat


def spoken() -> Part:
    """Three samples a word, in G.711."""
    return Part(
        "output_audio",
        "Once upon",
        format=AudioFormat.PCMU,
        made_samples=6,
        kept_samples=6,
        words=[Word("Once", 0, 3), Word(" upon", 3, 6)],
        chunks=[b"abc", b"def"],
    )


def content(item: events.Item) -> events.ContentPart:
    assert isinstance(item, events.MessageItem)
    return item.content[0]


def test_events_of_the_making_show_all_the_text_and_no_sound() -> None:
    entry = Entry("i", "message", role="assistant", parts=[spoken()])
    entry.parts[0].cut(4)
    assert content(entry.shown()) == events.OutputAudio(transcript="Once upon")


def test_retrieved_shows_what_is_kept_and_no_transcript_of_cut_audio() -> None:
    entry = Entry("i", "message", role="assistant", parts=[spoken()])
    assert content(entry.retrieved()) == events.OutputAudio(
        audio=b"abcdef", transcript="Once upon", format="g711_ulaw"
    )
    assert entry.parts[0].cut(4) == 2
    assert content(entry.retrieved()) == events.OutputAudio(audio=b"abcd", format="g711_ulaw")


def test_the_engine_is_told_the_words_that_were_heard_to_their_end() -> None:
    entry = Entry("i", "message", role="assistant", parts=[spoken()])
    entry.parts[0].cut(5)
    assert content(entry.known()) == events.OutputAudio(transcript="Once")


def test_the_engine_hears_the_user() -> None:
    part = Part("input_audio", kept_samples=2, made_samples=2, chunks=[b"\1\0\2\0"])
    known = content(Entry("i", "message", role="user", parts=[part]).known())
    assert known == events.InputAudio(audio=b"\1\0\2\0", transcript=None, format="pcm16")


def test_an_image_comes_back_as_it_was_given() -> None:
    image = events.InputImage(image_url="data:image/png;base64,AA==", detail="low")
    item = events.MessageItem(role="user", content=(image,))
    entry = entry_of(item, "i")
    assert content(entry.shown()) == content(entry.retrieved()) == content(entry.known()) == image


def test_the_status_that_a_client_gives_has_no_effect() -> None:
    text = events.InputText(text="a")
    item = events.MessageItem(status="in_progress", role="user", content=(text,))
    assert entry_of(item, "i").status == "completed"
    output = events.FunctionCallOutputItem(call_id="c", output="1", status="incomplete")
    assert entry_of(output, "i").shown() == events.FunctionCallOutputItem(
        id="i", call_id="c", output="1"
    )


def test_what_a_client_may_not_create_is_no_entry() -> None:
    with pytest.raises(TypeError, match="McpListToolsItem"):
        entry_of(events.McpListToolsItem(server_label="s", tools=()), "i")
    part = events.OutputAudio()
    with pytest.raises(TypeError, match="OutputAudio"):
        entry_of(events.MessageItem(role="assistant", content=(part,)), "i")
