"""What the model says in a simulation."""

from __future__ import annotations

import pytest

from bargein import events
from bargein.audio.formats import decode, samples_of
from bargein.server.model import score
from bargein.sim.actors.engine import Engine, heard_sample, wire_sound
from bargein.sim.choices import Choices, SeedSource, TapeSource
from bargein.units import AudioFormat

SPOKEN = events.ResponseParams(output_modalities=("audio",))


def _scores(
    seed: int, count: int, params: events.ResponseParams = SPOKEN
) -> list[list[score.Step]]:
    engine = Engine(Choices(SeedSource(seed)), sound_format=AudioFormat.PCM, tools=True)
    return [list(engine.score(params)) for _ in range(count)]


def test_the_plainest_response_is_one_item_of_a_fifth_of_a_second() -> None:
    engine = Engine(Choices(TapeSource({})), sound_format=AudioFormat.PCM, tools=False)

    actions = [step.action for step in engine.score(SPOKEN)]

    assert [type(action).__name__ for action in actions] == [
        "OpenMessage", "OpenPart", "SayText", "Sound", "SayText", "ClosePart", "CloseMessage",
    ]  # fmt: skip
    assert sum(len(a.audio) for a in actions if isinstance(a, score.Sound)) == 2 * 24 * 200


def test_all_kinds_of_responses_are_met() -> None:
    met = {type(step.action) for steps in _scores(1, 300) for step in steps}

    assert met >= {score.EndFailed, score.EndIncomplete, score.OpenCall, score.Sound}
    assert any(not steps for steps in _scores(1, 300))


def test_deltas_are_not_aligned_to_milliseconds() -> None:
    sizes = [
        len(step.action.audio) // 2
        for steps in _scores(2, 50)
        for step in steps
        if isinstance(step.action, score.Sound)
    ]

    assert sum(1 for size in sizes if size % 24) > len(sizes) // 2
    assert max(sizes) <= 24 * 500


def test_a_text_response_has_no_sound() -> None:
    written = events.ResponseParams(output_modalities=("text",))

    actions = [step.action for steps in _scores(3, 50, written) for step in steps]

    assert not any(isinstance(action, score.Sound) for action in actions)
    assert any(isinstance(action, score.SayText) for action in actions)


def test_no_function_is_called_out_of_band() -> None:
    aside = events.ResponseParams(output_modalities=("audio",), conversation="none")

    actions = [step.action for steps in _scores(4, 200, aside) for step in steps]

    assert not any(isinstance(action, score.OpenCall) for action in actions)


@pytest.mark.parametrize("sound_format", list(AudioFormat))
def test_every_sample_tells_its_number(sound_format: AudioFormat) -> None:
    wire = wire_sound(sound_format, 1_000, 500)

    heard = samples_of(decode(wire, sound_format))

    assert [int(sample) for sample in heard] == [
        heard_sample(sound_format, number) for number in range(1_000, 1_500)
    ]
    assert heard_sample(sound_format, 7) != heard_sample(sound_format, 8)


def test_calls_come_before_between_and_behind_the_messages_and_several_at_once() -> None:
    shapes = set()
    for steps in _scores(5, 400):
        names = [type(step.action).__name__ for step in steps]
        shapes.add(tuple(name for name in names if name in ("OpenMessage", "OpenCall")))

    assert ("OpenCall", "OpenMessage") in shapes
    assert ("OpenMessage", "OpenCall") in shapes
    assert ("OpenMessage", "OpenCall", "OpenMessage") in shapes
    assert any(shape.count("OpenCall") == 3 for shape in shapes)


def test_a_call_may_be_cut_in_the_middle_of_its_arguments() -> None:
    ends = [[type(step.action).__name__ for step in steps[-2:]] for steps in _scores(6, 400)]

    assert ["Arguments", "EndIncomplete"] in ends


def test_a_message_may_stay_open_behind_its_calls() -> None:
    names = [[type(step.action).__name__ for step in steps] for steps in _scores(7, 400)]

    assert any(["ClosePart", "OpenCall"] == n[i : i + 2] for n in names for i in range(len(n)))


def test_mixed_parts_are_text_and_sound_in_any_order() -> None:
    engine = Engine(
        Choices(SeedSource(8)), sound_format=AudioFormat.PCM, tools=False, mixed_parts=True
    )
    orders = set()
    for _ in range(200):
        kinds = [
            s.action.kind for s in engine.score(SPOKEN) if isinstance(s.action, score.OpenPart)
        ]
        orders.add("".join(kind[0] for kind in kinds))

    assert {"a", "at", "ta", "aa", "ata"} <= orders
