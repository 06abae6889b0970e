"""Six recorded sessions of three services, played to the machine: it sends what the recorded
clients sent, at the same moments, takes every frame without a fault, and ends with the right
conversation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.scenarios.watch import Watch

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.machine import Machine
from bargein.core.notices import Connected, Fault, Raw, ToolCalled, Transcript, TurnEnded
from bargein.core.settings import Settings

RECORDINGS = Path(__file__).parents[1] / "recordings"


class Played:
    """A recording, played to its end, with a player that hears everything at once."""

    def __init__(self, name: str) -> None:
        frames = yaml.safe_load((RECORDINGS / name).read_text())["interactions"]
        self.frames = [(frame["direction"], frame["data"]) for frame in frames]
        first = next(data for direction, data in self.frames if direction == "sent")
        update = events.decode_client(json.dumps(first))
        assert isinstance(update, events.SessionUpdate)
        assert isinstance(update.session, events.Session)
        self.machine = Machine(Settings(session=update.session))
        self.commands: list[commands.Command] = []
        self.recorded: list[tuple[int, str]] = []
        self.sent: list[tuple[int, str]] = []
        self.watch = Watch()
        self.now_us = 0
        self.asks = 0
        self.give(0, inputs.PipeOpened())
        for moment, (direction, data) in enumerate(self.frames):
            self.now_us += 10_000
            if direction == "received":
                self.give(moment, inputs.Received(events.decode_server(json.dumps(data))))
                continue
            self.recorded.append((moment, data["type"]))
            if data["type"] != "session.update":
                self.say(moment, events.decode_client(json.dumps(data)))

    def say(self, moment: int, event: Any) -> None:
        """What the recorded client sent is what the application asks for."""
        if isinstance(event, events.InputAudioBufferAppend):
            self.give(moment, inputs.Captured(event.audio))
            return
        self.asks += 1
        self.give(moment, inputs.Asked(self.asks, asks.SendEvent(event)))

    def give(self, moment: int, happened: inputs.Input) -> None:
        """One input; everything that is played is heard at once."""
        self.watch.input(happened)
        done = self.machine.handle(happened, now_us=self.now_us)
        self.commands += done
        for command in done:
            self.watch.command(command)
            match command:
                case commands.Send(event=event):
                    self.sent.append((moment, events.type_of(event)))
                case commands.SendAudio():
                    self.sent.append((moment, "input_audio_buffer.append"))
                case _:
                    pass
        heard: dict[inputs.Part, int] = {}
        for one in self.commands:
            if isinstance(one, commands.Play):
                samples = one.format.samples(len(one.audio))
                heard[one.part] = heard.get(one.part, 0) + samples
        if heard and not isinstance(happened, inputs.Rendered):
            counts = tuple(inputs.Heard(part, samples) for part, samples in heard.items())
            self.give(moment, inputs.Rendered(counts))

    @property
    def notices(self) -> list[Any]:
        return [one.notice for one in self.commands if isinstance(one, commands.Notify)]

    @property
    def conversation(self) -> list[tuple[str | None, str, str | None]]:
        """Role (or kind), text (or payload), status."""
        return [
            (item.role or item.type, item.text or item.payload or "", item.status)
            for item in self.machine.conversation.items
        ]


LONDON = "What is the weather in London?"
FOGGY = "It is foggy and 12 degrees in London."
SPACED_ARGUMENTS = '{  \n  "city": "London" \n} \n'
CALLED = [
    ("user", LONDON, "completed"),
    ("function_call", SPACED_ARGUMENTS, "completed"),
    ("function_call_output", FOGGY, None),
    ("assistant", FOGGY, "completed"),
]

CONVERSATIONS: dict[str, list[tuple[str, str, str | None]]] = {
    "openai_ws__tool_call_round.yaml": CALLED,
    "azure_ws__tool_call_round.yaml": CALLED,
    "openai_ws__audio_in_server_vad_turn.yaml": [
        ("user", "Hello, my name is Marcelo.", "completed"),
        (
            "assistant",
            "Hello, Marcelo! Great to meet you. How can I help you today?",
            "completed",
        ),
    ],
    "openai_ws__message_history_seeding.yaml": [
        ("user", "My name is Alice and my favorite color is teal.", "completed"),
        ("assistant", "Nice to meet you, Alice!", "completed"),
        ("user", "What is my name and favorite color?", "completed"),
        ("assistant", "Your name is Alice, and your favorite color is teal!", "completed"),
    ],
    "parity_ws__text_tool_round_parity_openai-current.yaml": [
        ("user", LONDON, "completed"),
        ("assistant", "I’ll check the current weather in London for you.", "completed"),
        ("function_call", '{"city":"London"}', "completed"),
        ("function_call_output", FOGGY, None),
        ("assistant", "It’s foggy and 12 degrees in London.", "completed"),
    ],
    "xai_ws__text_in_audio_out_turn.yaml": [
        ("user", "Say a short greeting.", "completed"),
        ("assistant", "Hello there!", "completed"),
    ],
}


@pytest.fixture(params=list(CONVERSATIONS))
def played(request: pytest.FixtureRequest) -> Played:
    """Each recording in turn."""
    return Played(str(request.param))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_recording_gives_the_right_conversation(name: str) -> None:
    """Ids and order as the service added them; roles, texts and statuses as it ended them."""
    played = Played(name)
    assert played.conversation == CONVERSATIONS[name]
    added = [
        data["item"]["id"]
        for direction, data in played.frames
        if direction == "received" and data["type"] == "conversation.item.added"
    ]
    assert [item.id for item in played.machine.conversation.items] == added
    assert {item.state for item in played.machine.conversation.items} == {"there"}


def test_the_machine_sends_what_the_recorded_client_sent_at_the_same_moments(
    played: Played,
) -> None:
    """The update of the session goes out at `session.created` there and here."""
    (update, *sent), (recorded_update, *recorded) = played.sent, played.recorded
    assert update[1] == recorded_update[1] == "session.update"
    assert sent == recorded


def test_no_frame_of_a_recording_is_a_fault(played: Played) -> None:
    faults = [notice for notice in played.notices if isinstance(notice, Fault)]
    raw = [notice.event_type for notice in played.notices if isinstance(notice, Raw)]
    assert faults == []
    assert set(raw) <= {"ping"}, "xAI's own, of no vocabulary"


def test_each_recorded_session_begins_once_and_ends_with_nobody_speaking(played: Played) -> None:
    assert len([one for one in played.notices if isinstance(one, Connected)]) == 1
    assert played.machine.floor == "nobody"
    assert played.machine.deadline_us is None, "nothing is waited for"


def test_each_recorded_response_ends_once_and_its_words_are_told_once(played: Played) -> None:
    done = [
        data["response"]["id"]
        for direction, data in played.frames
        if direction == "received" and data["type"] == "response.done"
    ]
    ended = [
        one.response_id
        for one in played.notices
        if isinstance(one, TurnEnded) and one.role == "assistant"
    ]
    assert ended == done
    final = [
        one.text
        for one in played.notices
        if isinstance(one, Transcript) and one.final and one.role == "assistant"
    ]
    by_service = [
        item.text
        for item in played.machine.conversation.items
        if item.role == "assistant" and item.text != "Nice to meet you, Alice!"
    ]
    assert final == by_service


def test_a_call_that_the_wire_shows_three_times_is_told_once(played: Played) -> None:
    calls = [one for one in played.notices if isinstance(one, ToolCalled)]
    functions = [
        item.call_id for item in played.machine.conversation.items if item.type == "function_call"
    ]
    assert [call.call_id for call in calls] == functions
    assert all(call.name == "get_weather" for call in calls)
