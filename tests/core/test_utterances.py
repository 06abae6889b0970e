"""The ledger: counts, the order of playing, and what must become of an item."""

from __future__ import annotations

import pytest

from bargein.core.commands import Command, FinishPlay, Play
from bargein.core.inputs import Heard, Part
from bargein.core.ledger import WAITING_LIMIT_BYTES, Ledger
from bargein.core.utterances import Delete, SpokenItem, Truncate, Utterance, deeds
from bargein.units import AudioFormat

PCM = AudioFormat.PCM


def pcm(ms: float) -> bytes:
    return bytes(2 * round(24 * ms))


def spoken(
    *parts: tuple[float, float],
    item_id: str = "A",
    held: bool = True,
    over: bool = True,
    completed: bool = False,
    shown: bool = False,
    audio_format: AudioFormat = PCM,
) -> SpokenItem:
    """An item of spoken parts: (received, heard) ms of each."""
    item = SpokenItem(item_id, "r1", True, held=held, over=over, completed=completed, shown=shown)
    for index, (received_ms, heard_ms) in enumerate(parts):
        utterance = Utterance(Part("r1", item_id, index), audio_format, True)
        utterance.received_samples = round(received_ms * audio_format.rate / 1_000)
        utterance.given_samples = utterance.received_samples
        utterance.heard_samples = round(heard_ms * audio_format.rate / 1_000)
        item.parts[index] = utterance
    return item


def decided(
    item: SpokenItem, *, exact: bool = True, grid_ms: int = 1, may_truncate: bool = True
) -> list[str]:
    """The deeds, as short lines."""
    lines = []
    for deed in deeds(item, exact=exact, grid_ms=grid_ms, may_truncate=may_truncate):
        match deed:
            case Truncate(utterance=utterance, audio_end_ms=ms):
                lines.append(f"truncate {utterance.part.content_index} {ms}")
            case Delete():
                lines.append("delete")
    return lines


class TestDeeds:
    """Rules 4, 5 and 10."""

    def test_a_partly_heard_part_is_truncated_whether_it_is_over_or_not(self) -> None:
        assert decided(spoken((2_000, 700), over=True)) == ["truncate 0 700"]
        assert decided(spoken((2_000, 700), over=False)) == ["truncate 0 700"]

    def test_a_completed_part_heard_whole_is_left_alone(self) -> None:
        item = spoken((2_000, 2_000), completed=True)
        assert decided(item) == []
        assert (item.parts[0].action, item.parts[0].kept_ms) == ("none", 2_000)

    @pytest.mark.parametrize("over", [True, False])
    def test_a_part_heard_whole_of_an_item_that_is_not_completed_is_truncated(
        self, over: bool
    ) -> None:
        assert decided(spoken((2_000, 2_000), over=over)) == ["truncate 0 2000"]

    def test_a_part_whose_sound_was_dropped_for_want_of_room_is_truncated(self) -> None:
        item = spoken((2_000, 2_000), completed=True)
        item.parts[0].clipped = True
        assert decided(item) == ["truncate 0 2000"]

    def test_one_sample_short_of_the_whole_is_truncated(self) -> None:
        item = spoken((2_000, 2_000), completed=True)
        item.parts[0].heard_samples -= 1
        assert decided(item) == ["truncate 0 1999"]

    def test_an_untouched_item_is_deleted_when_it_is_over_and_not_before(self) -> None:
        assert decided(spoken((2_000, 0), over=False)) == []
        assert decided(spoken((2_000, 0), over=True)) == ["delete"]
        assert decided(spoken(over=True)) == ["delete"]

    def test_an_untouched_completed_item_is_deleted_too(self) -> None:
        assert decided(spoken((2_000, 0), completed=True)) == ["delete"]

    def test_a_shown_item_is_truncated_to_nothing_when_it_is_over(self) -> None:
        assert decided(spoken((2_000, 0), shown=True, over=False)) == []
        assert decided(spoken((2_000, 0), shown=True)) == ["truncate 0 0"]

    def test_an_unheard_part_beside_a_heard_one_is_truncated_to_nothing(self) -> None:
        item = spoken((1_000, 900), (500, 0))
        assert decided(item) == ["truncate 0 900", "truncate 1 0"]

    def test_an_unheard_part_waits_for_the_end_of_its_item(self) -> None:
        """The service refuses it while it has no sound of its own yet."""
        assert decided(spoken((1_000, 900), (500, 0), over=False)) == ["truncate 0 900"]

    def test_a_part_without_sound_is_not_truncated(self) -> None:
        assert decided(spoken((1_000, 900), (0, 0))) == ["truncate 0 900"]

    def test_a_part_without_sound_does_not_hide_the_one_behind_it(self) -> None:
        assert decided(spoken((0, 0), (1_000, 900))) == ["truncate 1 900"]

    def test_an_item_that_the_server_does_not_hold_is_not_named(self) -> None:
        assert decided(spoken((2_000, 700), held=False)) == []
        assert decided(spoken((2_000, 0), held=False)) == []

    def test_an_item_outside_the_conversation_is_not_named(self) -> None:
        item = spoken((2_000, 700))
        item.in_conversation = False
        assert decided(item) == []

    def test_an_item_that_is_going_is_not_named_again(self) -> None:
        item = spoken((2_000, 0))
        item.going = True
        assert decided(item) == []

    def test_what_was_truncated_is_not_decided_again(self) -> None:
        item = spoken((2_000, 700))
        item.parts[0].action = "truncate"
        assert decided(item) == []

    def test_an_estimate_deletes_nothing(self) -> None:
        assert decided(spoken((2_000, 0)), exact=False) == ["truncate 0 0"]

    def test_an_estimate_deletes_what_was_never_given_to_the_player(self) -> None:
        item = spoken((2_000, 0))
        item.parts[0].given_samples = 0
        assert decided(item, exact=False) == ["delete"]

    def test_while_the_server_may_still_lengthen_the_part_nothing_is_truncated(self) -> None:
        assert decided(spoken((2_000, 700), over=False), may_truncate=False) == []
        assert decided(spoken((2_000, 700), over=True), may_truncate=False) == ["truncate 0 700"]

    def test_no_more_than_the_grid_holds_is_asked_for(self) -> None:
        assert decided(spoken((2_680, 2_670)), grid_ms=50) == ["truncate 0 2650"]
        assert decided(spoken((2_680, 2_610)), grid_ms=50) == ["truncate 0 2610"]

    def test_a_completed_part_heard_to_the_grid_is_left_alone(self) -> None:
        assert decided(spoken((2_680, 2_670), completed=True), grid_ms=50) == []
        assert decided(spoken((2_680, 2_649), completed=True), grid_ms=50) == ["truncate 0 2649"]

    def test_milliseconds_are_those_of_the_part_s_own_format(self) -> None:
        item = spoken((2_000, 700), audio_format=AudioFormat.PCMU)
        assert decided(item) == ["truncate 0 700"]


def test_a_sample_that_is_split_between_two_deltas_is_one_sample() -> None:
    ledger = Ledger()
    item = ledger.item("r1", "A", in_conversation=True)
    for audio in (b"\x01\x02\x03", b"\x04\x05", b"\x06"):
        utterance = ledger.arrived(item, 0, audio, PCM, cut=False)
    assert utterance.received_samples == 3
    played = [command.audio for command in ledger.flow() if isinstance(command, Play)]
    assert b"".join(played) == b"\x01\x02\x03\x04\x05\x06"
    assert all(len(audio) % 2 == 0 for audio in played)


@pytest.mark.parametrize(("margin_samples", "over"), [(0, False), (11, False), (12, True)])
def test_a_player_within_its_margin_of_the_end_has_played_a_part_out(
    margin_samples: int, over: bool
) -> None:
    item = spoken((100, 99.5), completed=True)
    part = item.parts[0]
    part.audio_over, part.margin_samples = True, margin_samples
    assert (part.played_out, item.kept_whole(part, 1)) == (over, over)


def flowed(found: list[Command]) -> list[str]:
    lines = []
    for command in found:
        match command:
            case Play(part=part, audio=audio):
                lines.append(f"{part.item_id}/{part.content_index} {len(audio) // 48}")
            case FinishPlay(part=part):
                lines.append(f"{part.item_id}/{part.content_index} end")
    return lines


class TestLedger:
    """What is given to the player, and what it says of it."""

    def arrive(self, ledger: Ledger, item_id: str, ms: float, *, cut: bool = False) -> Utterance:
        item = ledger.item("r1", item_id, in_conversation=True)
        return ledger.arrived(item, 0, pcm(ms), PCM, cut=cut)

    def test_the_part_at_the_head_flows_as_it_arrives_and_the_next_waits(self) -> None:
        ledger = Ledger()
        first = self.arrive(ledger, "A", 20)
        self.arrive(ledger, "B", 20)
        assert flowed(ledger.flow()) == ["A/0 20"]
        self.arrive(ledger, "A", 40)
        assert flowed(ledger.flow()) == ["A/0 40"]
        first.audio_over = True
        assert flowed(ledger.flow()) == ["A/0 end", "B/0 20"]

    def test_while_a_stop_is_unanswered_nothing_flows(self) -> None:
        ledger = Ledger()
        self.arrive(ledger, "A", 20)
        ledger.held_back = True
        assert ledger.flow() == []
        ledger.held_back = False
        assert flowed(ledger.flow()) == ["A/0 20"]

    def test_sound_of_a_cut_response_is_counted_and_thrown_away(self) -> None:
        """Rule 6."""
        ledger = Ledger()
        utterance = self.arrive(ledger, "A", 20, cut=True)
        assert ledger.flow() == []
        assert (utterance.received_samples, utterance.given_samples) == (480, 0)

    def test_what_waits_of_a_silenced_part_is_never_given(self) -> None:
        ledger = Ledger()
        utterance = self.arrive(ledger, "A", 20)
        ledger.silence(utterance)
        self.arrive(ledger, "A", 20)
        self.arrive(ledger, "B", 20)
        assert flowed(ledger.flow()) == ["B/0 20"]

    def test_counts_never_fall_and_never_exceed_what_was_given(self) -> None:
        """Rule 1."""
        ledger = Ledger()
        utterance = self.arrive(ledger, "A", 20)
        part = utterance.part
        ledger.heard((Heard(part, 100),))
        assert utterance.heard_samples == 0, "nothing was given yet"
        ledger.flow()
        for count in (100, 50, 9_999):
            ledger.heard((Heard(part, count),))
        assert utterance.heard_samples == 480

    def test_the_answer_to_a_stop_may_say_less_than_a_report_before_it(self) -> None:
        """The stop's answer is final; reports are progress."""
        ledger = Ledger()
        utterance = self.arrive(ledger, "A", 20)
        ledger.flow()
        ledger.heard((Heard(utterance.part, 400),))
        changed = ledger.stopped([utterance], (Heard(utterance.part, 300),))
        assert changed == [utterance]
        assert utterance.heard_samples == 300
        ledger.heard((Heard(utterance.part, 400),))
        assert utterance.heard_samples == 300, "only a correction changes it now"

    def test_a_player_that_answers_nonsense_is_kept_within_what_was_given(self) -> None:
        ledger = Ledger()
        utterance = self.arrive(ledger, "A", 20)
        ledger.flow()
        ledger.stopped([utterance], (Heard(utterance.part, -7),))
        assert utterance.heard_samples == 0
        ledger.stopped([utterance], (Heard(utterance.part, 10_000),))
        assert utterance.heard_samples == 480

    def test_counts_of_parts_that_nobody_knows_are_no_matter(self) -> None:
        ledger = Ledger()
        assert ledger.heard((Heard(Part("r9", "Z", 0), 5),)) == []

    def test_sound_beyond_the_limit_is_dropped_counted_and_not_resumed_after_the_gap(self) -> None:
        ledger = Ledger()
        first = self.arrive(ledger, "A", 20)
        item = ledger.item("r1", "B", in_conversation=True)
        utterance = ledger.arrived(item, 0, bytes(WAITING_LIMIT_BYTES), PCM, cut=False)
        assert (utterance.clipped, ledger.dropped_samples) == (True, WAITING_LIMIT_BYTES // 2)
        ledger.arrived(item, 0, pcm(20), PCM, cut=False)
        assert not utterance.waiting
        first.audio_over = True
        assert flowed(ledger.flow()) == ["A/0 20", "A/0 end", "B/0 end"]

    def test_what_was_given_makes_room_again(self) -> None:
        ledger = Ledger()
        item = ledger.item("r1", "A", in_conversation=True)
        for _ in range(3):
            utterance = ledger.arrived(item, 0, bytes(WAITING_LIMIT_BYTES // 2), PCM, cut=False)
            ledger.flow()
        assert (utterance.clipped, ledger.dropped_samples) == (False, 0)

    def test_what_was_silenced_makes_room_again(self) -> None:
        ledger = Ledger()
        item = ledger.item("r1", "A", in_conversation=True)
        ledger.silence(ledger.arrived(item, 0, bytes(WAITING_LIMIT_BYTES), PCM, cut=False))
        other = ledger.item("r2", "B", in_conversation=True)
        utterance = ledger.arrived(other, 0, bytes(WAITING_LIMIT_BYTES), PCM, cut=False)
        assert not utterance.clipped

    def test_an_item_that_is_forgotten_leaves_nothing(self) -> None:
        ledger = Ledger()
        self.arrive(ledger, "A", 20)
        ledger.forget(ledger.items["A"])
        assert (dict(ledger.items), dict(ledger.utterances), ledger.flow()) == ({}, {}, [])


@pytest.mark.parametrize(
    ("grid_ms", "heard_ms", "found"),
    [
        (1, 1_000.5, ["truncate 0 1000"]),
        (2, 1_000.0, []),
        (2, 999.0, ["truncate 0 999"]),
        (50, 1_000.0, []),
        (50, 999.0, ["truncate 0 999"]),
    ],
)
def test_a_completed_part_is_whole_from_the_server_s_length_of_it_on(
    grid_ms: int, heard_ms: float, found: list[str]
) -> None:
    """Rule 4. Only a server that counts in coarser steps has less than what arrived."""
    assert decided(spoken((1_000.75, heard_ms), completed=True), grid_ms=grid_ms) == found
