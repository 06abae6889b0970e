"""Which reply a frame belongs to, whatever the way of the media and of the events."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from bargein.core.gate import KEPT_MS, Gate, Piece
from bargein.units import US_PER_MS

FRAME = 480
SOUND = bytes(2 * FRAME)


@dataclass
class Talk:
    """Replies on the sender's clock, and the two ways by which they are told and come.

    A reply is its id, its first and its last millisecond, and whether it is cut at its end.
    """

    media_ms: int = 0
    events_ms: int = 0
    fills: bool = False
    gate: Gate = field(default_factory=Gate)
    pieces: list[tuple[int, Piece]] = field(default_factory=list)

    def play(
        self, replies: list[tuple[str, int, int, bool]], event_late_ms: list[int] | None = None
    ) -> None:
        late = iter(event_late_ms or [])
        moments: list[tuple[int, int, str, str, int]] = []
        told_ms = 0
        for number, (name, begins, ends, cut) in enumerate(replies):
            for kind, at in (("started", begins), ("cleared" if cut else "stopped", ends)):
                told_ms = max(told_ms, at + self.events_ms + next(late, 0))
                if kind == "cleared":
                    # The cut is our own: the gate closes a little before the service obeys.
                    moments.append((told_ms - 1, 0, "close", name, 0))
                moments.append((told_ms, number, kind, name, 0))
            frames = range(begins, ends, 20)
            moments += [(at + self.media_ms, 100, "media", name, at) for at in frames]
        end = max(ends for _, _, ends, _ in replies)
        if self.fills:
            quiet = (
                at
                for at in range(-500, end + 500, 20)
                if not any(begins <= at < ends for _, begins, ends, _ in replies)
            )
            moments += [(at + self.media_ms, 100, "silence", "", at) for at in quiet]
        for at_ms, _, kind, name, place_ms in sorted(moments):
            self._happen(kind, name, at_ms * US_PER_MS, place_ms)

    def _happen(self, kind: str, name: str, now_us: int, place_ms: int) -> None:
        found: list[Piece] = []
        match kind:
            case "started":
                found = self.gate.started(name, now_us, living=True)
            case "close":
                self.gate.close()
            case "media" | "silence":
                audio = name.encode().ljust(2 * FRAME, b"\0")
                found = self.gate.media(
                    (place_ms + 50_000) * 24, audio, now_us, loud=kind == "media"
                )
            case _:
                self.gate.over(name, now_us)
        self.pieces += [(now_us, piece) for piece in found]

    def heard(self, name: str) -> int:
        """Milliseconds of that reply that passed as its own."""
        return 20 * sum(
            piece.heard and piece.response_id == name and piece.audio.startswith(name.encode())
            for _, piece in self.pieces
        )

    @property
    def lead_ms(self) -> int:
        """How far ahead the media is. A turn of the user that takes less than that cannot be: what
        answers it would come before it is known that there was one."""
        return max(0, (self.events_ms - self.media_ms) // 20 * 20 + 20)

    @property
    def wrong(self) -> list[Piece]:
        """What passed in another reply's name, but for silence."""
        return [
            piece
            for _, piece in self.pieces
            if piece.heard
            and any(piece.audio)
            and not piece.audio.startswith(piece.response_id.encode())
        ]


def test_before_any_response_nothing_passes() -> None:
    gate = Gate()
    assert gate.media(0, SOUND, 0, loud=True) == []


def test_what_came_before_its_started_is_kept_and_passes_then() -> None:
    gate = Gate()
    for place in range(3):
        assert gate.media(place * FRAME, SOUND, place * 20_000, loud=True) == []
    assert len(gate.started("r1", 60_000, living=True)) == 3


def test_no_more_than_3_s_are_kept_and_the_rest_is_counted() -> None:
    gate = Gate()
    for place in range(KEPT_MS // 20 + 5):
        gate.media(place * FRAME, SOUND, place * 20_000, loud=True)
    assert len(gate.started("r1", 3_080_000, living=True)) * 20 == KEPT_MS == 3_000
    assert gate.dropped_samples == 5 * FRAME


def test_a_stall_of_the_data_channel_costs_no_word_of_the_reply_behind_a_cut() -> None:
    """A packet of the channel was lost, and repeated after 1.5 s: `started` comes that late."""
    talk = Talk()
    replies = [("r1", 0, 1_000, True), ("r2", 3_000, 6_000, False)]
    talk.play(replies, [0, 0, 1_500])
    assert (talk.heard("r2"), talk.wrong, talk.gate.dropped_samples) == (3_000, [], 0)


def test_what_waited_for_more_than_3_s_is_no_beginning_though_nothing_came_behind_it() -> None:
    """The last frame of a cut reply, and then no media until the next reply, seconds later."""
    gate = Gate()
    gate.started("r1", 0, living=True)
    gate.close()
    gate.over("r1", 0)
    assert gate.media(0, SOUND, 1_000, loud=True) == []
    assert gate.started("r2", 3_001_001, living=True) == []
    assert gate.dropped_samples == FRAME
    assert gate.media(200 * FRAME, SOUND, 3_010_000, loud=True) == [Piece("r2", SOUND, True)]


def test_where_no_place_is_known_the_end_of_a_cut_reply_is_not_the_next_ones_beginning() -> None:
    """Its `started` was so late that no beginning was found for it, then it was cut."""
    gate = Gate()
    for place in range(50):
        gate.media(place * FRAME, SOUND, place * 20_000, loud=True)
    gate.started("r1", 1_000_000, living=True)
    gate.close()
    gate.over("r1", 1_010_000)
    assert gate.media(50 * FRAME, SOUND, 1_020_000, loud=True) == []
    assert gate.media(150 * FRAME, SOUND, 2_800_000, loud=True) == []
    pieces = gate.started("r2", 3_000_000, living=True)
    assert pieces == [Piece("r1", SOUND, False), Piece("r2", SOUND, True)]


def test_where_no_place_is_known_what_comes_behind_a_long_silence_is_the_next_ones() -> None:
    """Both are told late: what the first one's `cleared` and the next one's beginning have between
    them is not known, and its sound came soon after the `cleared`."""
    gate = Gate()
    gate.media(0, SOUND, 0, loud=True)
    gate.started("r1", 1_100_000, living=True)
    gate.close()
    gate.over("r1", 1_110_000)
    for place in range(60, 70):
        assert gate.media(place * FRAME, SOUND, place * 20_000, loud=True) == []
    assert gate.started("r2", 2_000_000, living=True) == [Piece("r2", SOUND, True)] * 10


def test_the_first_started_that_was_late_does_not_hide_the_end_of_a_later_reply() -> None:
    """Its lateness was taken for the way of the media until the second one told better: a reply
    that pauses, and whose end comes behind its `stopped`."""
    talk = Talk(media_ms=240)
    replies = [("r1", 0, 1_000, False), ("r2", 9_000, 9_600, False)]
    talk.play(replies, [370, 0, 0, 200])
    late = talk.gate.media((50_000 + 9_780) * 24, b"r2", 10_020_000, loud=True)
    assert late == [Piece("r2", b"r2", True)]


def test_a_way_that_was_wrongly_learned_is_corrected_by_two_replies_that_agree() -> None:
    """The first half second of the first reply was lost, so its places seemed to be later."""
    talk = Talk()
    for name, begins, ends in (("r1", 0, 1_000), ("r2", 2_000, 3_000), ("r3", 4_000, 5_000)):
        talk.gate.started(name, begins * 1_000, living=True)
        for at in range(begins + (500 if name == "r1" else 0), ends, 20):
            talk.gate.media((at + 50_000) * 24, SOUND, at * 1_000 + 10, loud=True)
        talk.gate.over(name, ends * 1_000)
    assert talk.gate.started("r4", 6_000_000, living=True) == []
    assert talk.gate.media(56_000 * 24, SOUND, 6_000_010, loud=True) == [Piece("r4", SOUND, True)]
    talk.gate.close()
    talk.gate.over("r4", 6_020_000)
    assert talk.gate.started("r5", 6_900_000, living=True) == []
    first = talk.gate.media(56_900 * 24, SOUND, 6_900_010, loud=True)
    assert first == [Piece("r5", SOUND, True)]


def test_of_a_cut_reply_nothing_passes_and_all_is_counted() -> None:
    gate = Gate()
    gate.started("r1", 0, living=True)
    gate.close()
    pieces = [
        piece for n in range(10) for piece in gate.media(n * FRAME, SOUND, n * 20_000, loud=True)
    ]
    assert pieces == [Piece("r1", SOUND, False)] * 10


def test_a_response_that_was_cut_before_it_began_does_not_open_the_gate() -> None:
    gate = Gate()
    gate.started("r1", 0, living=False)
    assert gate.media(0, SOUND, 0, loud=True) == [Piece("r1", SOUND, False)]


def test_after_the_end_of_the_events_nothing_passes() -> None:
    gate = Gate()
    gate.started("r1", 0, living=True)
    gate.shut()
    assert gate.media(0, SOUND, 0, loud=True) == []


def test_a_reply_that_follows_at_once_is_told_apart_by_place() -> None:
    """The tool's reply waits in the service's buffer behind the one before it."""
    talk = Talk(media_ms=100)
    talk.play([("r1", 0, 1_000, False), ("r2", 1_000, 2_000, False)])
    assert (talk.heard("r1"), talk.heard("r2")) == (1_000, 1_000)
    assert talk.gate.reached("r1")


def test_a_pause_of_a_reply_whose_beginning_came_before_its_started_is_no_beginning() -> None:
    """It came too long before to teach anything, and what begins later is not it."""
    gate = Gate()
    for place in range(20):
        gate.media(place * FRAME, SOUND, place * 20_000, loud=True)
    gate.started("r1", 400_000, living=True)
    for place in range(30, 40):
        assert gate.media(place * FRAME, SOUND, place * 20_000, loud=True)
    assert gate.lag_us is None


def test_a_cut_reply_that_was_given_up_sounds_until_the_service_says_that_it_is_cleared() -> None:
    """The clear was on its way for longer than it was waited for."""
    gate = Gate()
    gate.started("r1", 0, living=True)
    gate.media(0, SOUND, 0, loud=True)
    gate.close()
    gate.over("r1", 1_000_000)
    for place in range(1, 101):
        gate.media(place * FRAME, SOUND, place * 20_000, loud=True)
    gate.over("r1", 2_020_000)
    pieces = gate.started("r2", 2_300_000, living=True)
    assert pieces == [Piece("r1", SOUND, False)] * 51


def test_where_no_place_is_known_a_reply_is_over_when_the_next_one_has_started() -> None:
    """All that comes is the later one's, so nothing of the earlier one is waited for."""
    gate = Gate()
    for place in range(50):
        gate.media(place * FRAME, SOUND, place * 20_000, loud=True)
    gate.started("r1", 1_000_000, living=True)
    gate.over("r1", 1_010_000)
    assert not gate.reached("r1")
    gate.started("r2", 1_010_000, living=True)
    assert gate.media(50 * FRAME, SOUND, 1_020_000, loud=True) == [Piece("r2", SOUND, True)]
    assert gate.reached("r1")


def test_what_is_made_up_for_lost_sound_begins_no_reply() -> None:
    """Behind a cut reply, for silence that was lost: it sounds like its last frame."""
    gate = Gate()
    gate.started("r1", 0, living=True)
    for place in range(50):
        gate.media(place * FRAME, SOUND, place * 20_000, loud=True)
    gate.close()
    gate.over("r1", 1_000_000)
    assert gate.media(50 * FRAME, SOUND, 1_010_000, loud=True, made_up=True) == []
    assert gate.started("r2", 1_200_000, living=True) == []
    assert gate.lag_us is not None


def test_what_is_made_up_teaches_no_place() -> None:
    gate = Gate()
    gate.started("r1", 0, living=True)
    gate.media(10 * FRAME, SOUND, 210_000, loud=True, made_up=True)
    assert gate.lag_us is None
    gate.media(11 * FRAME, SOUND, 230_000, loud=True)
    assert gate.lag_us is not None


def test_what_is_made_up_within_a_beginning_is_kept_with_it() -> None:
    gate = Gate()
    gate.media(0, SOUND, 0, loud=True)
    gate.media(FRAME, SOUND, 20_000, loud=True, made_up=True)
    pieces = gate.started("r1", 60_000, living=True)
    assert pieces == [Piece("r1", SOUND, True), Piece("r1", SOUND, True, made_up=True)]


def test_a_frame_made_up_at_the_last_ones_place_does_not_end_the_reply() -> None:
    """The jitter buffer falls back by a frame: the made-up one has the place of the next."""
    gate = Gate()
    gate.started("r1", 0, living=True)
    for place in range(50):
        gate.media(place * FRAME, SOUND, place * 20_000, loud=True)
    gate.over("r1", 1_000_000)
    gate.started("r2", 1_000_000, living=True)
    assert not gate.reached("r1")
    gate.media(50 * FRAME, SOUND, 1_000_000, loud=True)
    assert gate.reached("r1")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 30), st.integers(0, 30), st.booleans(), st.integers(5, 30))
def test_nothing_of_a_cut_reply_passes_and_no_word_of_the_next_is_lost(
    media: int, events: int, fills: bool, pause: int
) -> None:
    """The channels are apart by 300 ms either way, and nothing but the pause between the replies
    tells them apart."""
    talk = Talk(media_ms=media * 10, events_ms=events * 10, fills=fills)
    second = 1_000 + talk.lead_ms + pause * 20
    talk.play([("r1", 0, 1_000, True), ("r2", second, second + 1_000, False)])
    assert talk.wrong == []
    assert talk.heard("r2") == 1_000
    assert talk.gate.dropped_samples == 0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.integers(0, 30),
    st.integers(0, 20),
    st.lists(st.integers(0, 90), min_size=6, max_size=6),
    st.integers(200, 600),
)
def test_events_that_are_late_by_less_than_half_of_the_pause_change_nothing(
    media: int, events: int, late_ms: list[int], pause_ms: int
) -> None:
    talk = Talk(media_ms=media * 10, events_ms=events * 10)
    pause_ms = talk.lead_ms + pause_ms // 20 * 20
    second = 1_000 + pause_ms
    third = second + 1_000 + pause_ms
    replies = [
        ("r1", 0, 1_000, True),
        ("r2", second, second + 1_000, True),
        ("r3", third, third + 1_000, False),
    ]
    talk.play(replies, late_ms)
    assert talk.wrong == []
    assert talk.heard("r3") == 1_000
