"""The few words that a story has for each event, ask, command and notice."""

from __future__ import annotations

import pytest
from tests.sim.tale import created, done, truncate

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.sim.telling.wording import Wording
from bargein.units import AudioFormat


def _wording() -> Wording:
    return Wording(AudioFormat.PCM)


def test_ids_are_named_by_their_kind_in_the_order_of_the_telling() -> None:
    wording = _wording()
    told = [wording.id(wire_id) for wire_id in ("resp_9", "item_x", "item_y", "resp_1", "item_x")]

    assert told == ["r1", "A", "B", "r2", "A"]
    assert wording.id("app_0") == "app_0"
    assert wording.shortened("item_y of resp_1 and item_z") == "B of r2 and item_z"


def test_after_z_the_letters_are_counted() -> None:
    wording = _wording()

    assert [wording.id(f"item_{n:03}") for n in range(28)][24:] == ["Y", "Z", "A1", "B1"]


def test_the_steps_of_the_ladder_have_no_words() -> None:
    item = events.MessageItem(id="item_1", role="assistant", content=())
    added = events.ResponseOutputItemAdded(
        event_id="e", response_id="resp_1", output_index=0, item=item
    )

    assert _wording().event(added) is None
    assert _wording().event(events.InputAudioBufferAppend(audio=b"\0\0")) is None


def test_a_response_names_the_items_of_which_nothing_was_told() -> None:
    silent = events.MessageItem(id="item_2", role="assistant", content=())
    response = events.Response(id="resp_1", status="cancelled", output=(silent,))
    over = events.ResponseDone(event_id="e", response=response)
    wording = _wording()

    assert wording.event(over) == "response.done r1: cancelled, with A"
    assert wording.event(over) == "response.done r1: cancelled"


def test_a_function_call_is_named_by_its_call() -> None:
    call = events.FunctionCallItem(
        id="item_1", call_id="call_7", name="weather", arguments="{}", status="completed"
    )
    ended = events.ResponseOutputItemDone(
        event_id="e", response_id="resp_1", output_index=0, item=call
    )
    called = notices.ToolCalled("call_7", "weather", "{}", "item_1", "resp_1")
    wording = _wording()

    assert wording.event(ended) == "function call call1 (weather)"
    assert wording.command(commands.Notify(called)) == "tells of call1"


def test_what_is_out_of_band_says_so() -> None:
    aside = events.ResponseParams(conversation="none")
    wording = _wording()

    assert wording.event(events.ResponseCreate(response=aside)) == "response.create (out of band)"
    assert wording.event(created(conversation=None)) == "response.created r1 (out of band)"
    assert wording.ask(inputs.Asked(1, asks.Respond(aside))) == "asks for a reply (out of band)"


NOTE = events.MessageItem(role="system", content=(events.InputText(text="So far."),))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (asks.Say("Hi."), 'types "Hi."'),
        (asks.Say("Hi.", reply=False), 'types "Hi." and wants no reply'),
        (asks.Respond(), "asks for a reply"),
        (asks.Interrupt(), "interrupts"),
        (asks.CancelReply(3), "cancels the reply of ask 3"),
        (asks.Press(), "presses the button"),
        (asks.Release(), "releases the button"),
        (asks.Hold(), "pauses"),
        (asks.Resume(), "resumes"),
        (asks.Mute(True), "mutes the microphone"),
        (asks.SendEvent(truncate(40)), "sends item.truncate A[0] to 40 ms"),
        (asks.Edit((events.ItemReference(id="item_1"), NOTE)), "edits: [A new]"),
        (asks.Edit((), ("item_1",)), "edits: [], without A"),
        (asks.Leave(), "leaves"),
    ],
)
def test_every_ask_has_its_words(ask: asks.Ask, words: str) -> None:
    assert _wording().ask(inputs.Asked(1, ask)) == words


def test_an_update_tells_who_interrupts_and_who_replies() -> None:
    detection = events.ServerVad(interrupt_response=False, create_response=True)
    audio = events.AudioConfig(input=events.AudioInputConfig(turn_detection=detection))
    told = _wording().ask(inputs.Asked(1, asks.Update(events.Session(audio=audio))))

    assert told == "updates the session: interrupt_response false, create_response true"


def test_an_answer_is_told_only_if_it_is_an_error() -> None:
    wording = _wording()

    assert wording.command(commands.Answer(3, "item_1")) is None
    refused = commands.Answer(3, None, "No such item.", "refused", "not_found")
    assert wording.command(refused) == "ask 3 fails (refused): No such item."


def test_the_status_of_a_response_is_told() -> None:
    assert _wording().event(done(status="failed")) == "response.done r1: failed"
