"""No key and no sound is ever in a trace, wherever it came in."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.settings import Settings
from bargein.trace import record
from bargein.trace.format import Reader

KEY = "sk-proj-Abc123Def456Ghi789Jkl"
SOUND = bytes(range(1, 255)) * 4
MCP_TOOL = events.McpTool(
    server_label="files",
    server_url="https://user:hunter22@files.example/sse?token=Tr0ub4dor&v=1",
    authorization="Tr0ub4dor",
    headers={"X-Shop": "Tr0ub4dor"},
)
MCP_SESSION = events.Session(tools=(MCP_TOOL,), instructions="Mind the shop.")


def received(frame: str) -> inputs.Input:
    return inputs.Received(events.decode_server(frame))


def asked(event: events.ClientEvent) -> inputs.Input:
    return inputs.Asked(1, asks.SendEvent(event))


def lines_with(secret: inputs.Input | commands.Command) -> bytes:
    """The line that has it as its input, or among its commands."""
    if isinstance(secret, commands.Command):
        return record.entry(1, inputs.Tick(), [secret])
    return record.entry(1, secret, [])


@pytest.mark.parametrize(
    "holder",
    [
        inputs.Asked(1, asks.Update(MCP_SESSION)),
        inputs.Asked(1, asks.Respond(events.ResponseParams(tools=(MCP_TOOL,)))),
        asked(events.SessionUpdate(session=MCP_SESSION)),
        commands.Send(events.SessionUpdate(session=MCP_SESSION)),
        commands.Notify(notices.Connected(MCP_SESSION)),
        commands.Answer(1, value=MCP_SESSION),
        received('{"type":"new","deep":[{"Authorization":"Tr0ub4dor","PASSWORD":["Tr0ub4dor"]}]}'),
        received('{"type":"new","client_secret":{"value":"Tr0ub4dor","expires_at":1}}'),
        received('{"type":"session.created","event_id":"e","session":{"type":"realtime",'
                 '"id":"s","client_secret":{"value":"Tr0ub4dor"}}}'),
        commands.Notify(notices.Raw("new", {"api-key": "Tr0ub4dor"})),
    ],
)  # fmt: skip
def test_secret_fields_are_masked_in_inputs_and_commands(
    holder: inputs.Input | commands.Command,
) -> None:
    line = lines_with(holder)
    assert b"Tr0ub4dor" not in line
    assert b"hunter22" not in line
    assert b"[masked]" in line


@pytest.mark.parametrize(
    "text",
    [
        f"my key is {KEY}, keep it",
        "ek_0123456789abcdef0123456789abcdef",
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30",
        "authorization: bearer eyJhbGciOiJIUzI1NiJ9.e30",
        "see https://joe:s3same@host.example/",
        "wss://host.example/v1?api_key=0a1b2c3d&x=1",
    ],
)
def test_secrets_are_known_by_their_form_in_any_text(text: str) -> None:
    holders: list[inputs.Input | commands.Command] = [
        inputs.Asked(1, asks.Say(text)),
        commands.Notify(notices.Transcript("user", "item_1", text, True)),
        received("{" + text),
        inputs.PipeClosed(1008, text),
    ]
    secret = text.split()[-1] if "://" not in text else text
    for holder in holders:
        line = lines_with(holder).decode()
        assert "[masked]" in line
        for part in (KEY, "0123456789abcdef", "eyJhbGciOiJIUzI1NiJ9", "s3same", "0a1b2c3d"):
            assert part not in line, (secret, holder)


def test_the_reason_that_a_machine_broke_is_masked_too() -> None:
    line = record.entry(1, inputs.Tick(), None, f"KeyError: {KEY}")
    assert KEY.encode() not in line and b"KeyError: [masked]" in line


def test_the_settings_in_the_header_are_masked() -> None:
    head = record.header(Settings(session=MCP_SESSION), "now", "0.1.0")
    assert b"Tr0ub4dor" not in head and b"hunter22" not in head
    assert Reader([head]).settings().session.instructions == "Mind the shop."


@pytest.mark.parametrize(
    "said",
    [
        "ask the risk-taker about the task-force, it is a basic bearer of news",
        "bearer certificates are transferable",
        "write to joe@example.org",
        "the secret password is not told",
        "a sk- and an ek_ by themselves",
        "http://example.org/a@b",
    ],
)
def test_words_that_only_look_like_secrets_are_kept(said: str) -> None:
    (entry,) = Reader(
        [record.header(Settings(), "", "0.1.0"), lines_with(inputs.Asked(1, asks.Say(said)))]
    )
    assert entry.input() == inputs.Asked(1, asks.Say(said))


def item_with_sound() -> events.MessageItem:
    return events.MessageItem(role="user", content=(events.InputAudio(audio=SOUND),))


@pytest.mark.parametrize(
    "holder",
    [
        inputs.Captured(SOUND),
        commands.SendAudio(SOUND),
        asked(events.InputAudioBufferAppend(audio=SOUND)),
        asked(events.ConversationItemCreate(item=item_with_sound())),
        inputs.Asked(1, asks.Respond(events.ResponseParams(input=(item_with_sound(),)))),
        inputs.Received(events.ConversationItemRetrieved(event_id="e", item=item_with_sound())),
        commands.Answer(1, value=item_with_sound()),
        commands.Answer(1, value={"audio": SOUND}),
    ],
)
def test_sound_is_left_out_and_counted(holder: inputs.Input | commands.Command) -> None:
    line = lines_with(holder)
    assert base64.b64encode(SOUND)[:16] not in line
    assert str(len(SOUND)).encode() in line


def test_sound_and_images_in_fields_outside_the_vocabulary_are_left_out() -> None:
    packed = base64.b64encode(SOUND).decode()
    image = f'[{{"type":"input_image","image_url":"data:image/png;base64,{packed}"}}]'
    item = f'{{"type":"message","role":"user","content":{image}}}'
    for frame in (
        f'{{"type":"response.audio.delta","delta":"{packed}"}}',
        f'{{"type":"conversation.item.done","event_id":"e","item":{item}}}',
    ):
        line = lines_with(received(frame))
        assert packed.encode() not in line
        assert b"characters of base64]" in line


def test_what_json_cannot_hold_is_replaced_and_nothing_raises() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert b"?lone" in lines_with(inputs.Asked(1, asks.Say("\ud800lone")))
    assert b"<object>" in lines_with(commands.Answer(1, value=object()))
    assert lines_with(commands.Answer(1, value=deep)) == record.lost(1)
