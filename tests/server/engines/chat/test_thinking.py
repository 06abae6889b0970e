"""What a mind does, read from the chunks of its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bargein.server.engines.base import EngineError
from bargein.server.engines.chat.thinking import (
    CallArguments,
    CallBegan,
    CallEnded,
    Reader,
    Said,
    Thought,
    Used,
)


def delta(finish: str | None = None, **fields: Any) -> str:
    return json.dumps({"choices": [{"delta": fields, "finish_reason": finish}]})


def call(index: int | None, arguments: Any = "", name: str | None = None, id: str = "") -> str:
    piece = {"index": index, "id": id or None, "function": {"name": name, "arguments": arguments}}
    return delta(tool_calls=[piece])


def read(*chunks: str) -> list[Thought]:
    reader = Reader("The mind")
    thoughts = [thought for chunk in chunks for thought in reader.read(chunk)]
    return [*thoughts, *reader.end()]


def called(name: str, *arguments: str) -> list[Thought]:
    return [CallBegan(name), *map(CallArguments, arguments), CallEnded()]


def test_text_and_refusals_are_said() -> None:
    assert read(delta(content="Hel"), delta(content=None), delta(refusal="No.")) == [
        Said("Hel"),
        Said("No."),
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        ["<think>Hm. </think>\n\nHi.", " Bye."],
        ["<th", "ink>H", "m.</thi", "nk>", "\n\nHi.", " Bye."],
        list("<think>Hm. < </think>Hi. Bye."),
    ],
)
def test_thoughts_at_the_head_are_not_said(pieces: list[str]) -> None:
    thoughts = read(*(delta(content=piece) for piece in pieces))
    assert "".join(each.text for each in thoughts if isinstance(each, Said)) == "Hi. Bye."


@pytest.mark.parametrize("text", ["<", "<thin", "<b>bold</b>", "  <think", "1 <think> 2"])
def test_what_only_looks_like_a_thought_is_said(text: str) -> None:
    thoughts = read(*(delta(content=piece) for piece in text))
    assert "".join(each.text for each in thoughts if isinstance(each, Said)) == text


def test_thoughts_in_a_field_of_their_own_are_not_said() -> None:
    assert read(delta(reasoning_content="Hm."), delta(content="Hi.")) == [Said("Hi.")]


def test_a_call_streams_its_arguments() -> None:
    chunks = (call(0, "", "weather", "c0"), call(0, '{"city":'), call(0, '"Rome"}'))
    reader = Reader("The mind")
    assert [list(reader.read(chunk)) for chunk in chunks] == [
        [CallBegan("weather")],
        [CallArguments('{"city":')],
        [CallArguments('"Rome"}')],
    ]
    assert list(reader.end()) == [CallEnded()]


def test_calls_that_stream_at_once_come_one_after_the_other() -> None:
    assert read(
        call(0, '{"a":', "one", "c0"),
        call(1, '{"b":', "two", "c1"),
        call(0, "1}"),
        call(1, "2}"),
        delta("tool_calls"),
    ) == [*called("one", '{"a":', "1}"), *called("two", '{"b":', "2}")]


def test_a_later_call_that_is_whole_waits_for_the_first() -> None:
    assert read(call(0, '{"a":', "one"), call(1, "{}", "two"), call(0, "1}")) == [
        *called("one", '{"a":', "1}"),
        *called("two", "{}"),
    ]


@pytest.mark.parametrize("index", [0, None])
def test_servers_that_number_no_calls_are_understood_by_ids(index: int | None) -> None:
    chunks = call(index, '{"a":1}', "one", "c0"), call(index, '{"a":2}', "one", "c1")
    assert read(*chunks) == [*called("one", '{"a":1}'), *called("one", '{"a":2}')]


def test_arguments_may_be_an_object_or_nothing() -> None:
    assert read(call(0, {"a": 1}, "one"), call(1, "", "two")) == [
        *called("one", '{"a": 1}'),
        *called("two", "{}"),
    ]


def test_a_call_without_a_name_is_none() -> None:
    assert read(call(0, "{}"), delta(content="Hi.")) == [Said("Hi.")]


@pytest.mark.parametrize(
    ("finish", "ending"),
    [
        ("stop", "stop"),
        ("tool_calls", "stop"),
        ("length", "max_output_tokens"),
        ("content_filter", "content_filter"),
        ("eos", "stop"),
    ],
)
def test_an_answer_ends_for_a_reason(finish: str, ending: str) -> None:
    reader = Reader("The mind")
    list(reader.read(delta(finish)))
    assert reader.ending == ending and not reader.finished
    list(reader.read("[DONE]"))
    assert reader.finished


def test_the_count_may_come_behind_the_end() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": None}
    chunk = json.dumps({"choices": [], "usage": usage})
    assert read(delta("stop"), chunk, "[DONE]") == [Used(7, 2, 0)]


@pytest.mark.parametrize(
    "chunk",
    [
        '{"choices": null}',
        '{"choices": [null]}',
        '{"choices": [{"delta": []}]}',
        '{"choices": [{"delta": {"content": 7, "tool_calls": [null, {"function": 3}]}}]}',
        '{"usage": "much"}',
        "{}",
    ],
)
def test_what_is_out_of_shape_is_passed_over(chunk: str) -> None:
    assert read(chunk, delta(content="Hi.")) == [Said("Hi.")]


@pytest.mark.parametrize("chunk", ["", "{", "[]", "7", '{"error": "boom"}'])
def test_what_is_no_chunk_ends_the_answer(chunk: str) -> None:
    with pytest.raises(EngineError, match="The mind"):
        read(chunk)
