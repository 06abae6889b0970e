"""Figures of a run: what the ear heard after the stop, and what was left and kept of the reply."""

from __future__ import annotations

import pytest
from tests.lab.ab.made import a_run, came, piece, sent

from bargein.lab.ab.measure import figures_of


def test_silence_is_reached_with_the_last_sample_that_is_not_silent() -> None:
    figures = figures_of(a_run(piece(1_000, 1_015), piece(2_015, 500, level=40)))
    assert figures.stop_to_silence_ms == 15
    assert figures.sound_after_ms == 20
    assert figures.heard_ms == 1_015
    assert figures.stops


def test_a_sample_more_than_two_frames_after_the_stop_is_too_late() -> None:
    assert not figures_of(a_run(piece(1_000, 1_041))).stops
    assert figures_of(a_run(piece(1_000, 1_040))).stops


def test_what_was_silent_already_took_no_time() -> None:
    figures = figures_of(a_run(piece(1_000, 500)))
    assert (figures.stop_to_silence_ms, figures.sound_after_ms, figures.stops) == (0, 0, True)


def test_sound_before_the_next_reply_began_is_the_old_ones_whatever_it_is_called() -> None:
    """A client that called the rest of the cut reply the next one's would be caught."""
    next_began = came(4_000, "response.output_audio.delta", response_id="resp_2")
    figures = figures_of(
        a_run(piece(1_000, 1_000), piece(2_500, 100, "resp_2"), wire=(next_began,))
    )
    assert figures.stop_to_silence_ms == 600
    assert not figures.stops


def test_sound_of_the_next_reply_is_not_sound_after_the_stop() -> None:
    started = came(4_000, "output_audio_buffer.started", response_id="resp_2")
    heard = (piece(1_000, 1_000), piece(3_990, 800, "resp_2"))
    figures = figures_of(a_run(*heard, wire=(started,), transport="webrtc"))
    assert (figures.stop_to_silence_ms, figures.sound_after_ms) == (0, 0)
    assert any(figures.other.peaks) and not any(figures.after.peaks)


def test_an_old_reply_that_goes_on_beneath_the_next_is_sound_after_the_stop() -> None:
    next_began = came(3_000, "response.output_audio.delta", response_id="resp_2")
    heard = (piece(1_000, 5_000), piece(6_000, 500, "resp_2"))
    figures = figures_of(a_run(*heard, wire=(next_began,), who="naive"))
    assert (figures.stop_to_silence_ms, figures.sound_after_ms) == (4_000, 4_000)
    assert figures.heard_ms == 5_000


def test_left_is_the_sound_in_the_deltas_and_kept_is_what_was_read_back() -> None:
    wire = (
        came(1_000, "response.output_audio.delta", response_id="resp_1", sound_bytes=96_000),
        came(2_500, "response.output_audio.delta", response_id="resp_2", sound_bytes=48_000),
        sent(3_000, "conversation.item.retrieve", item_id="item_1"),
        came(3_010, "conversation.item.retrieved", kept_bytes=48_048, words="Once upon"),
    )
    figures = figures_of(a_run(piece(1_000, 1_000), wire=wire))
    assert (figures.left_ms, figures.kept_ms, figures.kept_words) == (2_000, 1_001, "Once upon")


def test_in_a_call_left_are_the_packets_until_the_buffer_was_empty() -> None:
    wire = (came(2_010, "output_audio_buffer.cleared", response_id="resp_1"),)
    packets = tuple(range(1_000_000, 2_100_000, 20_000))
    figures = figures_of(a_run(wire=wire, packets_us=packets, transport="webrtc"))
    assert figures.left_ms == 51 * 20
    assert figures_of(a_run(packets_us=packets, transport="webrtc")).left_ms is None


@pytest.mark.parametrize(("deleted", "kept_ms"), [(True, 0), (False, None)])
def test_an_item_that_was_deleted_is_kept_to_nothing_and_no_answer_is_not_known(
    deleted: bool, kept_ms: float | None
) -> None:
    gone = (came(2_020, "conversation.item.deleted", item_id="item_1"),) if deleted else ()
    wire = (*gone, sent(3_000, "conversation.item.retrieve", item_id="item_1"))
    assert figures_of(a_run(wire=wire)).kept_ms == kept_ms


def test_commands_are_those_from_the_stop_on_and_refusals_those_of_the_client() -> None:
    wire = (
        sent(950, "response.create"),
        sent(2_001, "conversation.item.truncate", audio_end_ms=1_000),
        sent(2_002, "input_audio_buffer.append"),
        sent(2_003, "response.cancel"),
        came(2_100, "error", code="response_cancel_not_active"),
        sent(3_000, "conversation.item.retrieve"),
        came(3_001, "error", code="item_not_found"),
    )
    figures = figures_of(a_run(wire=wire))
    assert figures.commands == ("conversation.item.truncate 1000", "response.cancel")
    assert figures.refusals == ("response_cancel_not_active",)
    assert [(line.at_ms, line.text) for line in figures.events][-1] == (
        100,
        "error response_cancel_not_active",
    )


def test_events_of_a_kind_in_a_row_are_one_line_by_their_time_from_the_stop() -> None:
    deltas = tuple(came(1_000 + n, "response.output_audio.delta") for n in range(5))
    lines = figures_of(a_run(wire=deltas)).events
    assert [(line.at_ms, line.text, line.count) for line in lines] == [
        (-1_100, "response.created", 1),
        (-1_000, "response.output_audio.delta", 5),
    ]


def test_a_run_without_a_stop_has_no_figures() -> None:
    figures = figures_of(a_run(stop_us=None, unmet="nothing was heard"))
    assert (figures.unmet, figures.stop_to_silence_ms, figures.stops) == (
        "nothing was heard",
        None,
        False,
    )
