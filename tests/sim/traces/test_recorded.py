"""A recorded session is judged like a simulated one, as far as one side can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import islice
from typing import Any

import pytest
from msgspec.structs import replace
from tests.trace.sessions import interrupted

from bargein import events
from bargein.capabilities import Capabilities
from bargein.core import commands, inputs, notices
from bargein.core.items import ItemView
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.lab import mutation
from bargein.server.model.memory import RememberedItem
from bargein.sim.episode import Episode, run
from bargein.sim.traces.recorded import Verdict, judge
from bargein.sim.traces.shown import options_of
from bargein.sim.traces.traced import traced
from bargein.trace.format import Entry, Reader
from bargein.trace.retell import Step, Story, recorded

SEEDS = range(3_000, 3_100)


def read(lines: Iterable[bytes]) -> tuple[list[Entry], Reader]:
    reader = Reader(lines)
    return list(reader), reader


def checked(episode: Episode) -> Verdict:
    """The verdict over the trace of the episode."""
    entries, reader = read(traced(episode, version="0"))
    return judge(tuple(recorded(entries)), reader.settings(), ended=not reader.cut)


def replayed(episode: Episode) -> Verdict:
    """The verdict over what the machine does when it is fed the trace of the episode."""
    entries, reader = read(traced(episode, version="0"))
    told = Story(entries, reader.settings(), Machine).tell()
    assert told.left_out == 0
    return judge(told.steps, reader.settings(), ended=not reader.cut, mirror=told.mirror)


@cache
def found_by(name: str, verdict: Callable[[Episode], Verdict]) -> tuple[set[str], set[str]]:
    """What the simulator found in the first broken conversation of a mutant, and what the verdict
    did."""
    [mutant] = mutation.named([name])
    with mutation.applied(mutant):
        broken = next(episode for episode in map(run, range(400)) if episode.violations)
        found = {finding.invariant for finding in verdict(broken).findings}
    return {violation.invariant for violation in broken.violations}, found


@pytest.mark.parametrize("part", range(4))
def test_a_conversation_that_keeps_its_promises_keeps_them_from_the_clients_side_too(
    part: int,
) -> None:
    for seed in SEEDS[part::4]:
        episode = run(seed)
        accused = replayed(episode).findings
        if not episode.violations:
            assert accused == (), f"seed {seed}"


@pytest.mark.parametrize(
    "name",
    [
        "takes-what-was-given-to-the-player-for-heard",
        "settles-only-the-first-item",
        "never-cancels",
        "plays-on-what-waits-of-a-cut-response",
        "forgets-items-that-come-after-the-stop",
    ],
)
def test_what_the_simulator_finds_is_found_in_the_trace(name: str) -> None:
    by_simulator, in_trace = found_by(name, checked)
    assert by_simulator & in_trace


def test_a_wrong_mirror_is_seen_only_where_a_machine_replays_the_trace() -> None:
    [mutant] = mutation.named(["puts-every-item-at-the-end"])
    with mutation.applied(mutant):
        wrong = (
            episode
            for episode in map(run, range(400))
            if any(broken.invariant == "I6" for broken in episode.violations)
            and not (episode.history.final.left or episode.history.final.lost)
            and not episode.history.options.webrtc
            # A replay gives the mirror of the end: what was wrong before and is deleted since, as
            # by an edit that takes everything away, only the simulator sees.
            and _ids(episode.history.final.mirror) != _ids(episode.history.final.memory)
        )
        few = tuple(islice(wrong, 4))
        in_record = [{found.invariant for found in checked(one).findings} for one in few]
        in_replay = [{found.invariant for found in replayed(one).findings} for one in few]
    assert not any("I6" in found for found in in_record)
    assert all("I6" in found for found in in_replay)


def _ids(items: Sequence[ItemView | RememberedItem]) -> list[str]:
    return [item.id for item in items]


def test_what_is_not_judged_is_named_with_its_reason() -> None:
    verdict = checked(run(0))
    assert "--replay" in verdict.not_judged["I6"]
    assert "I6" not in verdict.judged
    assert "no ear" in verdict.judged["I3"]


def quiet(done: Sequence[commands.Command]) -> list[object]:
    return [
        replace(each, audio=bytes(len(each.audio))) if isinstance(each, commands.Play) else each
        for each in done
    ]


def test_an_episode_that_is_traced_replays_to_the_same_commands() -> None:
    entries, reader = read(traced(run(3), version="0"))
    told = Story(entries, reader.settings(), Machine).tell()
    # What the player was given is sound of the same loudness, in place of what was left out.
    then = [quiet(list(step.commands)) for step in recorded(entries)]
    assert [quiet(list(step.commands)) for step in told.steps] == then


# -- by hand ---------------------------------------------------------------------------------------

PART = inputs.Part("resp_1", "item_1", 0)
PLACE: dict[str, Any] = {
    "event_id": "e",
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
}
MS = 24


def cut_at(heard_ms: int, sent_ms: int, **changes: Any) -> list[Step]:
    """A second of a reply, cut after `heard_ms`, truncated to `sent_ms` and acknowledged."""
    response = events.Response(
        id="resp_1", status="in_progress", output=(), conversation_id="conv_1"
    )
    over = events.Response(id="resp_1", status="cancelled", output=(), conversation_id="conv_1")
    item = events.MessageItem(id="item_1", role="assistant", status="in_progress", content=())
    truncate = events.ConversationItemTruncate(
        event_id="evt_0_2", item_id="item_1", content_index=0, audio_end_ms=sent_ms
    )
    record = notices.PartRecord(
        response_id="resp_1",
        item_id="item_1",
        content_index=0,
        rate=24_000,
        received_samples=1_000 * MS,
        heard_samples=heard_ms * MS,
        heard_ms=heard_ms,
        action="truncate",
        sent_ms=sent_ms,
        kept_ms=changes.get("kept_ms", sent_ms),
        answer="truncated",
    )
    settled = notices.InterruptionSettled(
        cut_id="cut_0_1",
        askers=("interrupt",),
        response_ids=("resp_1",),
        heard_ms=heard_ms,
        kept_ms=record.kept_ms,
        drift_ms=changes.get("kept_ms", sent_ms) - heard_ms,
        exactness="exact",
        parts=(record,),
        commands=("conversation.item.truncate",),
    )
    sound = events.ResponseOutputAudioDelta(**PLACE, delta=bytes(2_000 * MS))
    story: list[tuple[inputs.Input, list[commands.Command]]] = [
        (inputs.PipeOpened(), []),
        (inputs.Received(events.ResponseCreated(event_id="e", response=response)), []),
        (
            inputs.Received(
                events.ConversationItemAdded(event_id="e", item=item, previous_item_id=None)
            ),
            [],
        ),
        (inputs.Received(sound), [commands.Play(PART, sound.delta, format_of_sound())]),
        (
            inputs.PlaybackStopped("cut_0_1", (inputs.Heard(PART, heard_ms * MS),)),
            [commands.Send(truncate)],
        ),
        (inputs.Received(events.ResponseDone(event_id="e", response=over)), []),
        (
            inputs.Received(
                events.ConversationItemTruncated(
                    event_id="e", item_id="item_1", content_index=0, audio_end_ms=sent_ms
                )
            ),
            [commands.Notify(settled)],
        ),
    ]
    return [Step(i + 2, i * 1_000, each, done) for i, (each, done) in enumerate(story)]


def format_of_sound() -> Any:
    return options_of((), Settings()).format


def accused(steps: list[Step]) -> dict[str, int]:
    return {each.invariant: each.line for each in judge(steps, Settings()).findings}


def test_memory_is_what_the_service_acknowledged_and_hearing_what_the_player_said() -> None:
    assert "I1" not in accused(cut_at(400, 400))
    assert "I1" in accused(cut_at(400, 600))


def test_a_part_whose_end_the_trace_does_not_tell_is_not_judged() -> None:
    steps = cut_at(400, 600)[:5]
    verdict = judge(steps, Settings(), ended=False)
    assert "I1" not in {finding.invariant for finding in verdict.findings}
    assert "1 items" in verdict.not_judged["I1 and rule 5 of some"]


def test_a_record_that_tells_another_length_than_the_service_breaks_the_proof() -> None:
    assert accused(cut_at(400, 400, kept_ms=390))["P6"] == 8


def test_a_truncate_beyond_what_arrived_is_not_legal() -> None:
    assert accused(cut_at(400, 1_200))["I8"] == 6


def test_a_machine_that_raised_is_accused_at_the_line_where_it_did() -> None:
    steps = [Step(2, 0, inputs.PipeOpened(), (), "ValueError: no")]
    verdict = judge(steps, Settings(), ended=False)
    assert [(each.invariant, each.line) for each in verdict.findings] == [("I9", 2)]


def test_a_player_that_answers_too_late_excuses_the_memory_and_is_named() -> None:
    asked = Step(2, 0, inputs.PipeOpened(), [commands.StopPlayback("cut_0_1")])
    answer = Step(3, 300_000, inputs.PlaybackStopped("cut_0_1", ()), ())
    verdict = judge([asked, answer], Settings())
    assert "200 ms" in verdict.not_judged["I1"]


def test_the_grid_of_lengths_is_learned_from_a_refusal() -> None:
    steps = cut_at(400, 930)
    body = events.ErrorBody(
        type="invalid_request_error",
        code="invalid_value",
        message="Audio content of 900ms is already shorter than 930ms",
        event_id="evt_0_2",
    )
    refusal = Step(9, 9_000, inputs.Received(events.Error(event_id="e", error=body)), ())
    assert options_of(steps[:6], Settings()).lengths_grid_ms == 1
    assert options_of([*steps[:6], refusal], Settings()).lengths_grid_ms == 101


def test_a_trace_that_speaks_of_a_response_that_never_began_is_read_without_a_word() -> None:
    steps = [step for step in cut_at(400, 400) if "ResponseCreated" not in repr(step.input)]
    assert judge(steps, Settings(), ended=False).met.get("parts", 0) == 0


def talked_over(can: Capabilities) -> list[Step]:
    """What the machine does that knows its server, from the beginning to the cut."""
    machine, steps = Machine(Settings()), list[Step]()

    def give(happened: inputs.Input) -> None:
        at_us = 1_000_000 + 20_000 * len(steps)
        done = machine.handle(happened, now_us=at_us)
        steps.append(Step(len(steps) + 2, at_us, happened, done))

    for _, happened in interrupted()[:-3]:
        give(inputs.PipeOpened(can) if isinstance(happened, inputs.PipeOpened) else happened)
    [stop] = [each for each in steps[-1].commands if isinstance(each, commands.StopPlayback)]
    give(inputs.PlaybackStopped(stop.cut_id, (inputs.Heard(PART, 7_200),)))
    return steps


def test_who_cancels_is_taken_as_the_client_was_told() -> None:
    """A cancel is needless where the server cancels itself, and owed where it never does."""
    steps = talked_over(Capabilities(interrupts="never"))
    cancels = [
        command.event
        for step in steps
        for command in step.commands
        if isinstance(command, commands.Send) and isinstance(command.event, events.ResponseCancel)
    ]
    assert len(cancels) == 1
    unknowing = [
        replace(step, input=inputs.PipeOpened())
        if isinstance(step.input, inputs.PipeOpened)
        else step
        for step in steps
    ]
    needless = accused(unknowing).keys() - accused(steps).keys()
    assert needless, "without that knowledge the same cancel is one too many"
