"""Delta debugging, and the story that is left when inputs are left out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trace.sessions import interrupted, received

from bargein import events
from bargein.core import asks, inputs
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.trace import record
from bargein.trace.format import Entry, Reader
from bargein.trace.retell import Step, Story
from bargein.trace.shorten import groups_of, shorten


@given(st.sets(st.integers(0, 60), max_size=6))
def test_exactly_what_is_needed_is_left(needed: set[int]) -> None:
    short = shorten(range(61), lambda places: places if needed <= set(places) else None)
    assert set(short.kept) == needed
    assert short.minimal


@given(st.lists(st.sets(st.integers(0, 30), max_size=12), max_size=5))
def test_no_single_place_can_be_left_out_whatever_the_groups(groups: list[set[int]]) -> None:
    def shows(places: Sequence[int]) -> bool:
        return {3, 11} <= set(places) and (4 in places) == (5 in places)

    short = shorten(range(31), lambda p: p if shows(p) else None, groups=groups)
    for place in short.kept:
        assert not shows([other for other in short.kept if other != place])


def test_a_group_that_is_not_needed_goes_in_one_run() -> None:
    runs: list[int] = []
    noise = set(range(1, 1_000))
    short = shorten(
        range(1_000),
        lambda places: places if 0 in places else None,
        groups=[noise],
        progress=lambda kept, run: runs.append(kept),
    )
    assert short.kept == (0,)
    assert runs[0] == 1


def test_what_a_trial_did_not_use_is_gone() -> None:
    short = shorten(range(10), lambda places: [p for p in places if p < 2] if 0 in places else None)
    assert short.kept == (0,)


def test_when_the_runs_are_used_up_the_result_says_so() -> None:
    short = shorten(range(100), lambda p: p if {5, 50, 95} <= set(p) else None, at_most_runs=3)
    assert (short.runs, short.minimal) == (3, False)
    assert {5, 50, 95} <= set(short.kept)


def tried(places: Sequence[int], groups: Sequence[set[int]] = ()) -> list[list[int]]:
    """What is tried in turn, where nothing can be left out."""
    seen: list[list[int]] = []
    told: list[tuple[int, int]] = []

    def trial(given: Sequence[int]) -> None:
        seen.append(list(given))

    short = shorten(places, trial, groups=groups, progress=lambda *said: told.append(said))
    assert short.runs == len(seen)
    assert told == [(len(places), run) for run in range(1, len(seen) + 1)]
    return seen


def test_halves_go_first_then_quarters_then_single_ones_from_the_end() -> None:
    gone = [sorted(set(range(8)) - set(given)) for given in tried(range(8))]
    halves, quarters = [[4, 5, 6, 7], [0, 1, 2, 3]], [[6, 7], [4, 5], [2, 3], [0, 1]]
    assert gone == [*halves, *quarters, *([place] for place in reversed(range(8)))]
    assert [len(given) for given in tried(range(6))] == [3, 3, *[5] * 6]
    assert tried([3]) == [[]]


def test_groups_are_tried_from_the_largest_and_those_of_which_nothing_is_left_are_not() -> None:
    groups = [{1}, {2, 3, 4}, {9}, {5, 6}]
    assert tried(range(7), groups)[:3] == [[0, 1, 5, 6], [0, 1, 2, 3, 4], [0, 2, 3, 4, 5, 6]]
    assert len(tried(range(7), groups)[3]) == 4, "stretches follow"


def test_what_could_not_go_is_tried_again_when_something_else_has_gone() -> None:
    short = shorten([2, 5], lambda places: places if 2 not in places or 5 in places else None)
    assert short.kept == ()


def test_five_thousand_runs_are_enough_unless_told() -> None:
    short = shorten(range(10_000), lambda places: None)
    assert (short.runs, short.minimal) == (5_000, False)


# -- the story -------------------------------------------------------------------------------------


@pytest.fixture
def story() -> Story:
    """An event of the application's own, typed words, a reply, the user talks over it; the player
    answers the stop."""
    machine = Machine(Settings())
    lines = [record.header(Settings(), "", "0")]
    cut_id = ""
    own = asks.SendEvent(events.InputAudioBufferClear())
    first, *rest = interrupted()
    for at_us, each in (first, (first[0] + 1, inputs.Asked(9, own)), *rest):
        if isinstance(each, inputs.PlaybackStopped):
            each = inputs.PlaybackStopped(cut_id, each.heard)
        done = machine.handle(each, now_us=at_us)
        cut_id = next((c.cut_id for c in done if hasattr(c, "cut_id")), cut_id)
        lines.append(record.entry(at_us, each, done))
    entries: list[Entry] = list(Reader(lines))
    return Story(entries, Settings(), Machine)


def places(story: Story, *kinds: type[object]) -> list[int]:
    return [place for place, step in enumerate(story.steps) if isinstance(step.input, kinds)]


def test_the_whole_story_is_told_as_it_was(story: Story) -> None:
    told = story.tell()
    assert told.left_out == 0
    assert [list(step.commands) for step in told.steps] == [
        list(step.commands) for step in story.steps
    ]


def test_an_answer_follows_the_id_that_has_moved(story: Story) -> None:
    kept = set(range(len(story.steps))) - {1}
    told = story.tell(kept)
    [answer] = [s.input for s in told.steps if isinstance(s.input, inputs.PlaybackStopped)]
    [then] = [s.input for s in story.steps if isinstance(s.input, inputs.PlaybackStopped)]
    stops = [c.cut_id for s in told.steps for c in s.commands if hasattr(c, "cut_id")]
    assert answer.cut_id == stops[0] != then.cut_id
    assert told.unanswered == 0


def test_an_answer_without_its_request_is_left_out(story: Story) -> None:
    speech = next(
        place for place, step in enumerate(story.steps) if "SpeechStarted" in repr(step.input)
    )
    told = story.tell(set(range(len(story.steps))) - {speech})
    assert not [s for s in told.steps if isinstance(s.input, inputs.PlaybackStopped)]


def test_a_stop_whose_answer_was_left_out_is_counted(story: Story) -> None:
    told = story.tell(set(range(len(story.steps))) - set(places(story, inputs.PlaybackStopped)))
    assert told.unanswered == 1


def test_nothing_comes_through_a_pipe_that_was_never_opened(story: Story) -> None:
    told = story.tell(set(range(len(story.steps))) - {0})
    assert not told.steps


def test_the_sound_of_a_response_goes_with_its_beginning(story: Story) -> None:
    created = next(
        place for place, step in enumerate(story.steps) if "ResponseCreated" in repr(step.input)
    )
    told = story.tell(set(range(len(story.steps))) - {created})
    assert "ResponseOutputAudioDelta" not in repr(told.steps)


def test_a_player_does_not_hear_what_it_was_not_given(story: Story) -> None:
    deltas = [p for p, s in enumerate(story.steps) if "ResponseOutputAudioDelta" in repr(s.input)]
    told = story.tell(set(range(len(story.steps))) - set(deltas[1:]))
    assert not [s for s in told.steps if isinstance(s.input, inputs.Rendered)]


def test_a_deadline_that_is_long_over_ticks_by_itself(story: Story) -> None:
    machine = Machine(Settings())
    machine.handle(inputs.PipeOpened(), now_us=0)
    assert machine.deadline_us is not None
    lines = [
        record.header(Settings(), "", "0"),
        record.entry(0, inputs.PipeOpened(), ()),
        record.entry(60_000_000, inputs.Starved(1), ()),
    ]
    told = Story(list(Reader(lines)), Settings(), Machine).tell()
    assert [type(step.input).__name__ for step in told.steps] == ["PipeOpened", "Tick", "Starved"]
    assert told.steps[1].at_us == machine.deadline_us


def test_what_belongs_together_is_a_group(story: Story) -> None:
    groups = groups_of(story.steps)
    deltas = {p for p, s in enumerate(story.steps) if "ResponseOutputAudioDelta" in repr(s.input)}
    assert frozenset(deltas) in groups
    assert frozenset(places(story, inputs.Captured)) in groups
    assert any(deltas < group for group in groups), "all of the response"


def test_groups_are_of_a_kind_a_type_an_ask_a_response_and_an_item_each() -> None:
    place = {"event_id": "e", "response_id": "r", "output_index": 0}
    item = {"id": "i", "type": "message", "role": "assistant", "content": []}
    told: list[inputs.Input] = [
        inputs.Tick(),
        inputs.Asked(1, asks.Respond()),
        received("response.created", event_id="e", response={"id": "r", "output": []}),
        received("response.output_item.added", **place, item=item),
        received("conversation.item.added", event_id="e", item=item),
        received("conversation.item.deleted", event_id="e", item_id="i"),
        inputs.Asked(2, asks.Respond()),
        inputs.Asked(1, asks.Respond()),
        inputs.Tick(),
    ]
    groups = groups_of([Step(line, 0, each, ()) for line, each in enumerate(told)])
    assert sorted(map(sorted, groups)) == [
        [0, 8],
        [1, 7],
        [2],
        [2, 3],
        [3],
        [3, 4, 5],
        [4],
        [5],
        [6],
    ]
