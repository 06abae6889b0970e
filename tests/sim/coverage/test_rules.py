"""Each rule of the core is met in one story, and not in another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.sim.coverage.drama import Drama, met, met_by, part_record
from tests.sim.tale import MS

from bargein.core import notices
from bargein.sim.actors.media import MediaOptions
from bargein.sim.coverage.rules import RULES
from bargein.sim.options import Options
from bargein.units import AudioFormat

# Met here, not met there.
STORIES = {
    "ledger 1: the stop's count": (
        "sounds:1 stop:1 rendered:1:90 answer:1:100",
        "sounds:1 stop:1 rendered:1:100 answer:1:100",
    ),
    "ledger 2: time to answer": (
        "sounds:1 stop:1 answer:1 &truncate:1",
        "sounds:1 stop:1 &answer:1 &truncate:1",
    ),
    "ledger 5: deleted": ("sounds:1 delete:1", "sounds:1 truncate:1"),
    "ledger 5: delete waits": (
        "sounds:1 stop:1 answer:1 &record:1 itemdone:1 got delete:1",
        "sounds:1 itemdone:1 got stop:1 answer:1 &delete:1 &record:1",
    ),
    "ledger 6: sound of a cut response": ("sounds:1 stop:1 delta:1 got", "sounds:1 delta:1 got"),
    "ledger 6: cut before it was born": (
        "create ask:interrupt &record:9 begins:1 item:1 delta:1 got",
        "create begins:1 got ask:interrupt &record:1 item:1 delta:1 got",
    ),
    "ledger 7: create waits": ("sounds:1 ends:1 got &create", "sounds:1 ends:1 got create"),
    "ledger 8: a create is remembered": (
        "create ask:interrupt &record:9",
        "create:aside ask:interrupt &record:9",
    ),
    "ledger 8: a turn is remembered": (
        "replies committed got ask:interrupt &record:9",
        "replies:no committed got ask:interrupt &record:9",
    ),
    "ledger 9: we cancel": ("sounds:1 cancel:1", "sounds:1 truncate:1"),
    "ledger 9: the server cancels": (
        "sounds:1 record:1:speech ends:1:turn got settle:1:speech",
        "sounds:1 ends:1 got record:1:speech settle:1:speech",
    ),
    "ledger 9: over already": (
        "sounds:1 ends:1 got record:1 settle:1",
        "sounds:1 record:1 ends:1:turn got settle:1",
    ),
    "ledger 9: out of band": (
        "create:aside begins:2:aside got sounds:1 stop:1",
        "create begins:2 got ends:2 got sounds:1 stop:1",
    ),
    "ledger 10: another content index": ("sounds:1 truncate:1:1", "sounds:1 truncate:1:0"),
    "ledger 11: late transcript": ("sounds:1 stop:1 words:1 got", "sounds:1 words:1 got stop:1"),
    "ledger 12: agreed": ("sounds:1 truncate:1 truncated:1 got", "sounds:1 truncate:1 shorter got"),
    "ledger 12: shorter": ("sounds:1 truncate:1 shorter got", "sounds:1 truncate:1 active got"),
    "ledger 12: once more": ("sounds:1 truncate:1 truncate:1", "sounds:1 truncate:1"),
    "ledger 13: paid by our create": (
        "active got create begins:1 got",
        "create active got begins:1 got",
    ),
    "ledger 13: paid by another": (
        "create active got begins:1 got",
        "active got create begins:1 got",
    ),
    "ledger 15: joined": (
        "sounds:1 record:1 settle:1:interrupt:speech",
        "sounds:1 record:1 settle:1:interrupt",
    ),
    "cuts: nothing was interrupted": (
        "sounds:1 ends:1 got stop:1 answer:1",
        "sounds:1 stop:1 answer:1 &record:1",
    ),
    "cuts: by the service": ("sounds:1 record:1:service", "sounds:1 record:1:speech"),
    "responses 7: by order": ("create create:aside", "create create"),
    "responses: several aside": (
        "create:aside begins:1:aside create:aside begins:2:aside got",
        "create:aside begins:1:aside create begins:2 got",
    ),
    "listening 1: turns are detected": ("speech got", "speech"),
    "listening 2: pressed into a reply": (
        "sounds:1 ask:press &stop:1",
        "sounds:1 ask:interrupt &stop:1",
    ),
    "listening 3: enough": ("commit", "clear"),
    "listening 3: too little": ("regret", "turn:1"),
    "listening 4: settings change": ("replies got replies:no got", "replies got replies got"),
    "outbox 2: overtaking": (
        "sounds:1 blocked drained &truncate:1 &append",
        "sounds:1 blocked drained &append &truncate:1",
    ),
    "calls 1: told once": ("told", "turn:1"),
    "calls 1: cut off": ("sounds:1 call:1:incomplete got", "sounds:1 call:1 got"),
    "faults 2: matched by its text": ("shorter got", "active got"),
    "faults 4: absorbed": ("active got", "sounds:1"),
    "requests 2: events of its own": ("ask:event", "ask:interrupt"),
    "edits 1: done": ("ask:edit edited:created", "ask:edit edited"),
    "edits 1: no difference": ("ask:edit &edited", "ask:edit edited"),
    "edits 4: refused": ("ask:edit edited:refused", "ask:edit edited:unconfirmed"),
    "edits 4: unconfirmed": ("ask:edit edited:unconfirmed", "ask:edit edited:refused"),
    "edits 5: cannot be": ("ask:edit edited:local", "ask:edit edited:late"),
    "edits 5: too late": ("ask:edit edited:late", "ask:edit edited:lost"),
    "edits 5: lost": ("ask:edit edited:lost", "ask:edit edited:local"),
    "wishes 2: kept": ("ask:edit edited:no_text", "ask:edit edited:gone"),
    "wishes 2: gone meanwhile": ("ask:edit edited:gone", "ask:edit edited:no_text"),
    "wishes 3: call and output": ("ask:edit edited:paired", "ask:edit edited:gone"),
    "wishes 4: made anew": ("ask:edit edited:moved", "ask:edit edited:created"),
    "interruption: nothing to cut": ("ask:interrupt &nothing", "ask:mute &nothing"),
    "deadline: the item's end": ("sounds:1 delete:1", "sounds:1 itemdone:1 got delete:1"),
    "deadline: leaving": (
        "sounds:1 record:1 ask:leave close",
        "sounds:1 record:1 ask:leave settle:1 close",
    ),
    "player: starved": ("starved", "rendered:1:1"),
    "buffer 1: we clear": ("buffer:clear", "buffer:cleared"),
    "buffer 1: the service clears": ("buffer:cleared", "buffer:clear buffer:cleared"),
    "buffer 2: a clear meets the end": ("buffer:clear buffer:stopped", "buffer:stopped"),
    "gate: sound behind our clear": (
        "buffer:started buffer:clear media",
        "buffer:started buffer:clear media:silent buffer:cleared",
    ),
    "gate: sound nobody has told of": ("media", "buffer:started media"),
    "response: failed": ("sounds:1 ends:1:failed got", "sounds:1 ends:1 got"),
    "response: incomplete": ("sounds:1 ends:1:incomplete got", "sounds:1 ends:1 got"),
    "response: empty": ("create begins:1 ends:1:empty got", "create begins:1 ends:1 got"),
}


@pytest.mark.parametrize("rule", STORIES)
def test_a_rule_is_met_in_one_story_and_not_in_the_other(rule: str) -> None:
    here, there = STORIES[rule]
    assert rule in met(here).rules
    assert rule not in met(there).rules


_SECOND = 1_000 * MS
_WHOLE = part_record("1", heard=_SECOND, action="none")
_HALF = part_record("1", heard=_SECOND // 2, action="truncate", sent_ms=500)
_ENDED = part_record("1", heard=_SECOND, action="truncate", sent_ms=1_000)
_UNHEARD = part_record("1", action="truncate", sent_ms=0)
_DELETED = part_record("1", action="delete", item="item_2")

Deed = Callable[[Drama], None]


def _settled(
    *parts: notices.PartRecord,
    before: str = "",
    known: int = 9,
    exactness: notices.Exactness = "exact",
) -> Deed:
    """A cut that ends with these parts, of which so many were known when it was told."""

    def tell(drama: Drama) -> None:
        for word in f"sounds:1 {before}".split():
            drama.do(word)
        drama.notify(drama.record("1", ("interrupt",), *parts[:known]))
        drama.notify(drama.settlement("1", ("interrupt",), *parts, exactness=exactness))

    return tell


def _told(notice: notices.Notice, before: str = "") -> Deed:
    def tell(drama: Drama) -> None:
        for word in before.split():
            drama.do(word)
        drama.notify(notice)

    return tell


def _cut(*response_ids: str, margin_samples: int | None = 0) -> notices.Interruption:
    return notices.Interruption(
        "cut_1", ("interrupt",), response_ids, 0, (), 0, None, margin_samples
    )


# Of records: what is in them says what was met.
RECORDS: dict[str, tuple[Deed, Deed]] = {
    "ledger 3: before the playhead": (_settled(_WHOLE, _DELETED), _settled(_HALF, _DELETED)),
    "ledger 3: behind the playhead": (_settled(_HALF, _DELETED), _settled(_HALF)),
    "ledger 3: still to come": (_settled(_HALF, _DELETED, known=1), _settled(_HALF, _DELETED)),
    "ledger 3: several responses": (_told(_cut("resp_1", "resp_2")), _told(_cut("resp_1"))),
    "ledger 4: left alone": (_settled(_WHOLE), _settled(_HALF)),
    "ledger 4: looks finished": (
        _settled(_ENDED, before="itemdone:1:incomplete got"),
        _settled(_ENDED, before="itemdone:1 got"),
    ),
    "ledger 5: truncated to 0": (_settled(_HALF, _UNHEARD), _settled(_HALF)),
    "ledger 5: shown": (_settled(_UNHEARD, before="text:1 got"), _settled(_UNHEARD)),
    "ledger 10: rounded down": (
        _settled(part_record("1", heard=25)),
        _settled(part_record("1", heard=24)),
    ),
    "ledger 12: unconfirmed": (
        _settled(part_record("1", action="truncate", answer="unconfirmed")),
        _settled(part_record("1", action="truncate", answer="truncated")),
    ),
    "ledger 14: lost": (_settled(_HALF, exactness="lost"), _settled(_HALF)),
    "player: cannot tell": (_settled(_HALF, exactness="inexact"), _settled(_HALF)),
    "player: within a margin": (_settled(_HALF, exactness="within"), _settled(_HALF)),
    "deadline: the player's word": (
        _told(_cut("resp_1", margin_samples=None), before="sounds:1 stop:1 rendered:1:1"),
        _told(_cut("resp_1", margin_samples=None), before="sounds:1 stop:1 died"),
    ),
    "conversation 3: share of the text": (
        _told(notices.Transcript("assistant", "item_1", "Once", True, cut=True)),
        _told(notices.Transcript("assistant", "item_1", "Once", True)),
    ),
    "outbox 4: dropped": (
        _told(notices.Dropped("microphone", 480)),
        _told(notices.Dropped("playback", 480)),
    ),
}


@pytest.mark.parametrize("rule", RECORDS)
def test_a_rule_is_met_by_one_record_and_not_by_another(rule: str) -> None:
    here, there = RECORDS[rule]
    assert rule in met_by(here).rules
    assert rule not in met_by(there).rules


def test_an_item_behind_one_that_is_not_the_last_is_not_at_the_end() -> None:
    name = "conversation 1: not at the end"
    assert name in met("placed:1 got placed:2:1 got placed:3:1 got").rules
    assert name not in met("placed:1 got placed:2:1 got placed:3:2 got").rules


def test_speech_into_a_reply_that_goes_on_is_met_only_under_that_policy() -> None:
    name = "interruption: keeps talking"
    assert name in met("sounds:1 speech got", Options(barge_in="keep_talking")).rules
    assert name not in met("sounds:1 speech got", Options()).rules


def test_another_rate_is_met_where_the_sound_is_not_pcm() -> None:
    name = "ledger 10: another rate"
    assert name in met("sounds:1 truncate:1", Options(format=AudioFormat.PCMU)).rules
    assert name not in met("sounds:1 truncate:1").rules


def test_what_the_service_truncates_is_met_in_calls() -> None:
    name = "buffer 3: the service truncates"
    words = "sounds:1 truncated:1 got"
    assert name in met(words, Options(media=MediaOptions())).rules
    assert name not in met(words).rules


def test_every_rule_has_its_stories() -> None:
    by_themselves = {
        "buffer 3: the service truncates",
        "conversation 1: not at the end",
        "interruption: keeps talking",
        "ledger 10: another rate",
    }
    assert set(STORIES) | set(RECORDS) | by_themselves == set(RULES)
