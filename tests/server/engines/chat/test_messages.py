"""A conversation in the words of chat-completions."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from bargein import events
from bargein.server.engines.chat.callables import Callables
from bargein.server.engines.chat.messages import (
    NO_ANSWER_YET,
    Manner,
    messages_of,
    request_body,
    unheard_parts,
)
from bargein.server.engines.chat.wav import wav_of
from bargein.server.model.commands import RemoteTool


def said(role: str, *texts: str, id: str = "") -> events.MessageItem:
    kind = events.OutputText if role == "assistant" else events.InputText
    return events.MessageItem(id=id, role=role, content=tuple(kind(text=text) for text in texts))


def spoken(transcript: str, id: str = "item_a") -> events.MessageItem:
    parts = (events.OutputAudio(transcript=transcript),)
    return events.MessageItem(id=id, role="assistant", content=parts)


def call(call_id: str, name: str = "weather", arguments: str = "{}") -> events.FunctionCallItem:
    return events.FunctionCallItem(call_id=call_id, name=name, arguments=arguments)


def answer(call_id: str, output: str = "rain") -> events.FunctionCallOutputItem:
    return events.FunctionCallOutputItem(call_id=call_id, output=output)


def told(
    *context: events.Item, heard: Any = None, cut: tuple[str, ...] = (), **manner: Any
) -> list[dict[str, Any]]:
    return messages_of(context, None, heard or {}, cut, Manner(**manner))


def the_call(call_id: str, name: str = "weather", arguments: str = "{}") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def the_answer(call_id: str, content: str = "rain") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def test_instructions_come_first_as_the_systems() -> None:
    assert messages_of((said("user", "Hi"),), "Be brief.", {}, (), Manner()) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


def test_roles_and_texts_are_kept_and_turns_alternate() -> None:
    assert told(
        said("system", "A"), said("user", "B", "C"), said("user", "D"), spoken("E"), spoken("F")
    ) == [
        {"role": "system", "content": "A"},
        {"role": "user", "content": "B\nC\nD"},
        {"role": "assistant", "content": "E F"},
    ]


def test_of_what_was_cut_the_heard_words_are_told_with_a_mark_and_of_the_unheard_nothing() -> None:
    context = (spoken("Once upon", "cut"), said("user", "Hm?"), spoken("", "unheard"))
    assert told(*context, cut=("cut", "unheard")) == [
        {"role": "assistant", "content": "Once upon —"},
        {"role": "user", "content": "Hm?"},
    ]
    assert told(context[0], cut=("cut",), cut_mark="") == [
        {"role": "assistant", "content": "Once upon"}
    ]


def test_parallel_calls_are_one_message_with_their_answers_behind_it() -> None:
    assert told(spoken("Let me see."), call("a"), call("b", "time"), answer("a"), answer("b")) == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [the_call("a"), the_call("b", "time")],
        },
        the_answer("a"),
        the_answer("b"),
    ]


def test_an_answer_that_came_late_is_moved_to_its_call() -> None:
    assert told(call("a"), said("user", "Well?"), answer("a")) == [
        {"role": "assistant", "content": None, "tool_calls": [the_call("a")]},
        the_answer("a"),
        {"role": "user", "content": "Well?"},
    ]


def test_a_call_without_an_answer_and_an_answer_without_a_call_are_made_right() -> None:
    assert told(call("a"), answer("gone", "42")) == [
        {"role": "assistant", "content": None, "tool_calls": [the_call("a")]},
        the_answer("a", NO_ANSWER_YET),
        {"role": "system", "content": "A function called earlier answered: 42"},
    ]


def test_a_call_after_an_answered_one_is_a_message_of_its_own() -> None:
    roles = [message["role"] for message in told(call("a"), answer("a"), spoken("Hm."), call("b"))]
    assert roles == ["assistant", "tool", "assistant", "tool"]


def test_half_an_object_of_arguments_is_not_shown_to_a_template() -> None:
    (message, _) = told(call("a", arguments='{"city": "Li'))
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"


def test_mcp_calls_are_calls_too() -> None:
    item = events.McpCallItem(
        id="mcp_1", server_label="s", name="roll", arguments='{"d": 6}', output="4"
    )
    assert told(item) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [the_call("mcp_1", "roll", '{"d": 6}')],
        },
        the_answer("mcp_1", "4"),
    ]


def test_images_are_shown() -> None:
    parts = (
        events.InputText(text="What is it?"),
        events.InputImage(image_url="data:image/png;base64,AA==", detail="low"),
    )
    assert told(events.MessageItem(role="user", content=parts), said("user", "Well?")) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {
                    "type": "image_url",
                    "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"},
                },
                {"type": "text", "text": "Well?"},
            ],
        }
    ]


def turn(id: str, transcript: Any = None, audio: bytes = b"\1\0") -> events.MessageItem:
    part = events.InputAudio(audio=audio, transcript=transcript, format="pcm16")
    return events.MessageItem(id=id, role="user", content=(part,))


def test_spoken_turns_are_told_by_their_words() -> None:
    context = (turn("a", "One."), spoken("Hm."), turn("b"), spoken("Hm."), turn("c"))
    heard = {("b", 0): " Two. "}
    assert [m["content"] for m in told(*context, heard=heard) if m["role"] == "user"] == [
        "One.",
        "Two.",
        "[inaudible]",
    ]
    assert [place[:2] for place in unheard_parts(context, heard)] == [("c", 0)]


def test_a_mind_that_hears_gets_wav() -> None:
    ((message),) = told(turn("a"), mind_hears=True)
    sound = message["content"][0]["input_audio"]
    assert sound["format"] == "wav"
    assert base64.b64decode(sound["data"]) == wav_of(np.array([1], np.int16), 24_000)


def body(**params: Any) -> dict[str, Any]:
    return request_body((), events.ResponseParams(**params), model="m", heard={})


TOOLS = (events.FunctionTool(name="f", description="d", parameters={"type": "object"}),)


def test_a_request_streams_and_asks_for_the_count() -> None:
    assert body() == {
        "model": "m",
        "messages": [],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_limits_effort_and_tools_are_passed_on() -> None:
    made = body(
        max_output_tokens=9,
        reasoning=events.Reasoning(effort="low"),
        tools=TOOLS,
        tool_choice=events.ToolChoiceFunction(name="f"),
        parallel_tool_calls=False,
    )
    assert made["max_tokens"] == 9 and made["reasoning_effort"] == "low"
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    assert made["tools"] == [{"type": "function", "function": function}]
    assert made["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert made["parallel_tool_calls"] is False


def test_no_limit_is_no_field_and_no_choice_is_no_tools() -> None:
    assert "max_tokens" not in body(max_output_tokens="inf")
    assert "tools" not in body(tools=TOOLS, tool_choice="none")
    assert body(tools=TOOLS, tool_choice="required")["tool_choice"] == "required"


def test_a_call_of_a_remote_tool_is_told_by_the_name_that_the_mind_knows() -> None:
    item = events.McpCallItem(
        id="c", server_label="shop", name="weather", arguments="{}", output="rain"
    )
    remote = RemoteTool("shop", events.McpListedTool(name="weather"), needs_approval=False)
    params = events.ResponseParams(tools=(events.FunctionTool(name="weather"),))
    known = Callables.of(params, (remote,))
    message, told_answer = messages_of((item,), None, {}, (), Manner(), known)
    assert message["tool_calls"] == [the_call("c", "shop_weather")]
    assert told_answer == the_answer("c")
