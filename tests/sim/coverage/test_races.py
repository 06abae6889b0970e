"""Each race is met in one story, and not in another that differs from it in a word or two."""

from __future__ import annotations

import pytest
from tests.sim.coverage.drama import met

from bargein.sim.coverage.races import RACES

# Met here, not met there.
STORIES = {
    "edit while stopping": ("sounds:1 stop:1 ask:edit", "sounds:1 stop:1 answer:1 ask:edit"),
    "edit before the settlement": (
        "sounds:1 record:1 ask:edit settle:1",
        "sounds:1 record:1 settle:1 ask:edit",
    ),
    "edit while a response is open": ("sounds:1 ask:edit ends:1", "sounds:1 ends:1 got ask:edit"),
    "edit, truncate unanswered": (
        "sounds:1 truncate:1 ask:edit",
        "sounds:1 truncate:1 truncated:1 got ask:edit",
    ),
    "edit behind an edit": ("ask:edit ask:edit", "ask:edit edited ask:edit"),
    "edit while the socket is full": ("blocked ask:edit", "blocked drained ask:edit"),
    "done under way at our cancel": (
        "sounds:1 ends:1 cancel:1 got",
        "sounds:1 cancel:1 ends:1 got",
    ),
    "done before our cancel arrived": (
        "sounds:1 cancel:1 ends:1 arrives:cancel:1",
        "sounds:1 cancel:1 arrives:cancel:1 ends:1",
    ),
    "speech under way at our cancel": (
        "sounds:1 speech cancel:1 got",
        "sounds:1 speech got cancel:1",
    ),
    "created under way at the cut": (
        "create begins:1 ask:interrupt &record:1 got",
        "create begins:1 got ask:interrupt &record:1",
    ),
    "create under way at the cut": (
        "create ask:interrupt &record:1 arrives",
        "create arrives ask:interrupt &record:1",
    ),
    "created for a cut request": (
        "create ask:interrupt &record:1 begins:2 got",
        "create begins:2 got ask:interrupt &record:1",
    ),
    "created for a cut turn": (
        "replies committed got ask:interrupt &record:1 begins:2:auto got",
        "replies committed got begins:2:auto got ask:interrupt &record:1",
    ),
    "cut at the moment of created": (
        "create begins:1 got &ask:interrupt &record:1",
        "create begins:1 got ask:interrupt &record:1",
    ),
    "cut at the moment of done": (
        "sounds:1 ends:1 got &ask:interrupt &record:1",
        "sounds:1 ends:1 got ask:interrupt &record:1",
    ),
    "cut at the moment of a delta": (
        "sounds:1 delta:1 got &ask:interrupt &stop:1",
        "sounds:1 delta:1 got ask:interrupt &stop:1",
    ),
    "sound after the cut": ("sounds:1 stop:1 delta:1 got", "sounds:1 delta:1 got stop:1"),
    "new part after the cut": ("sounds:1 stop:1 delta:1:1 got", "sounds:1 stop:1 delta:1 got"),
    "new item after the cut": ("sounds:1 stop:1 item:1 got", "sounds:1 item:1 got stop:1"),
    "call after the cut": ("sounds:1 stop:1 call:1 got", "sounds:1 call:1 got stop:1"),
    "done after the cut": ("sounds:1 stop:1 ends:1 got", "sounds:1 ends:1 got stop:1"),
    "done while stopping": ("sounds:1 stop:1 ends:1 got", "sounds:1 stop:1 answer:1 ends:1 got"),
    "created while stopping": (
        "sounds:1 ends:1 got stop:1 create begins:2 got",
        "sounds:1 ends:1 got stop:1 answer:1 create begins:2 got",
    ),
    "new sound while stopping": (
        "sounds:1 ends:1 got stop:1 sounds:2",
        "sounds:1 ends:1 got stop:1 answer:1 sounds:2",
    ),
    "speech while stopping": ("sounds:1 stop:1 speech got", "sounds:1 stop:1 answer:1 speech got"),
    "ask while stopping": (
        "sounds:1 stop:1 ask:interrupt",
        "sounds:1 stop:1 answer:1 ask:interrupt",
    ),
    "all heard while stopping": (
        "sounds:1 ends:1 got stop:1 answer:1",
        "sounds:1 ends:1 got stop:1 answer:1 &record:1",
    ),
    "answer after its deadline": ("sounds:1 stop:1 record:1 answer:1", "sounds:1 stop:1 answer:1"),
    "next created before the answer": (
        "sounds:1 ends:1 got stop:1 create begins:2 got answer:1",
        "sounds:1 ends:1 got stop:1 answer:1 create begins:2 got",
    ),
    "correction before the settlement": (
        "sounds:1 stop:1 answer:1:100 record:1 answer:1:90 settle:1",
        "sounds:1 stop:1 answer:1:100 record:1 settle:1 answer:1:90",
    ),
    "correction after the settlement": (
        "sounds:1 stop:1 answer:1:100 record:1 settle:1 answer:1:90",
        "sounds:1 stop:1 answer:1:100 record:1 settle:1 answer:1:100",
    ),
    "smaller correction": (
        "sounds:1 stop:1 answer:1:100 record:1 answer:1:90",
        "sounds:1 stop:1 answer:1:100 record:1 answer:1:110",
    ),
    "larger correction": (
        "sounds:1 stop:1 answer:1:100 record:1 answer:1:110",
        "sounds:1 stop:1 answer:1:100 record:1 answer:1:90",
    ),
    "item done, truncate goes out": ("sounds:1 itemdone:1 truncate:1", "sounds:1 truncate:1"),
    "sound coming, truncate goes out": ("sounds:1 delta:1 truncate:1", "sounds:1 truncate:1"),
    "truncated after the next created": (
        "sounds:1 ends:1 got truncate:1 create begins:2 got truncated:1 got",
        "sounds:1 ends:1 got truncate:1 truncated:1 got create begins:2 got",
    ),
    "delete waits, ask waits": (
        "sounds:1 stop:1 record:1 ask:respond",
        "sounds:1 stop:1 record:1 itemdone:1 got ask:respond",
    ),
    "deleted after the next ask": (
        "sounds:1 delete:1 ask:respond deleted:1",
        "sounds:1 delete:1 deleted:1 got ask:respond",
    ),
    "cut before the last is settled": (
        "sounds:1 record:1 sounds:2 record:2",
        "sounds:1 record:1 settle:1 sounds:2 record:2",
    ),
    "ask joins a cut that was told": (
        "sounds:1 record:1 settle:1:interrupt:speech",
        "sounds:1 record:1 settle:1:interrupt",
    ),
    "create crosses an automatic one": ("begins:1:auto create got", "begins:1:auto got create"),
    "automatic one crosses a create": ("create active got", "create shorter got"),
    "ask while a response is open": ("sounds:1 ask:say", "sounds:1 ends:1 got ask:say"),
    "ask while the user speaks": ("speech got ask:respond", "speech got silence got ask:respond"),
    "ask while a turn is unanswered": (
        "replies committed got ask:respond",
        "replies committed got begins:1:auto got ends:1 got ask:respond",
    ),
    "two asks, one response": ("turn:1:2", "turn:1 turn:2"),
    "out of band beside another": (
        "sounds:1 create:aside begins:2:aside got",
        "sounds:1 ends:1 got create:aside begins:2:aside got",
    ),
    "out of band given up unborn": (
        "create:aside ask:cancel",
        "create:aside begins:1:aside got ask:cancel",
    ),
    "cut beside out of band": (
        "create:aside begins:2:aside got sounds:1 stop:1",
        "create:aside begins:2:aside got ends:2 got sounds:1 stop:1",
    ),
    "speech under way at an ask": ("speech ask:mute got", "speech got ask:mute"),
    "speech while a turn is unanswered": (
        "replies committed got speech got",
        "replies committed got begins:1:auto got speech got",
    ),
    "speech after done, still heard": (
        "sounds:1 ends:1 got speech got &record:1:speech",
        "sounds:1 speech got &record:1:speech",
    ),
    "speech, truncate unanswered": (
        "sounds:1 truncate:1 speech got",
        "sounds:1 truncate:1 truncated:1 speech got",
    ),
    "speech at the moment of done": (
        "sounds:1 ends:1 speech got",
        "sounds:1 ends:1 got speech got",
    ),
    "update under way at speech": ("update speech got", "update replies got speech got"),
    "update while a response is open": ("sounds:1 update", "sounds:1 ends:1 got update"),
    "update while the user speaks": ("speech got update", "speech got silence got update"),
    "pressed while stopping": (
        "sounds:1 ask:press &stop:1 captured answer:1 clear",
        "sounds:1 ask:press &stop:1 answer:1 clear captured",
    ),
    "released while stopping": (
        "sounds:1 ask:press &stop:1 ask:release",
        "sounds:1 ask:press &stop:1 answer:1 &clear ask:release",
    ),
    "pressed again before created": ("create ask:press", "create begins:1 got ask:press"),
    "clear behind an unanswered commit": ("commit clear", "commit committed got clear"),
    "output while the user speaks": ("speech got ask:output", "speech got silence got ask:output"),
    "output while a response is open": ("sounds:1 ask:output", "sounds:1 ends:1 got ask:output"),
    "output while stopping": ("sounds:1 stop:1 ask:output", "sounds:1 stop:1 answer:1 ask:output"),
    "output after its response was cut": (
        "sounds:1 call:1 got stop:1 ask:output",
        "sounds:1 call:1 got ask:output stop:1",
    ),
    "death while stopping": ("sounds:1 stop:1 died", "sounds:1 stop:1 closed"),
    "death before the settlement": ("sounds:1 record:1 died", "sounds:1 record:1 settle:1 died"),
    "death with a request open": ("create died", "create begins:1 got died"),
    "leaving before the settlement": (
        "sounds:1 record:1 ask:leave",
        "sounds:1 record:1 settle:1 ask:leave",
    ),
    "leaving with a request open": ("create ask:leave", "create begins:1 got ask:leave"),
    "leaving twice or late": ("ask:leave ask:interrupt", "ask:interrupt ask:leave"),
    "ask at the moment of the record": (
        "sounds:1 record:1 &ask:interrupt",
        "sounds:1 record:1 ask:interrupt",
    ),
    "ask at the moment of settling": (
        "sounds:1 record:1 settle:1 &ask:interrupt",
        "sounds:1 record:1 settle:1 ask:interrupt",
    ),
    "ask at the moment of a call": ("told &ask:output", "told ask:output"),
    "cut while held": ("sounds:1 hold held stop:1", "sounds:1 hold held resume stop:1"),
    "hold unanswered at the cut": ("sounds:1 hold stop:1", "sounds:1 hold held stop:1"),
    "cut by an event of its own": (
        "sounds:1 ask:event &stop:1",
        "sounds:1 ask:interrupt &stop:1",
    ),
    "its own delete at a cut": (
        "sounds:1 ask:delete stop:1",
        "sounds:1 ask:delete deleted:9 got stop:1",
    ),
    "muted in the middle of speech": ("speech got ask:mute", "speech got ask:unmute"),
    "cut while the socket is full": ("sounds:1 blocked stop:1", "sounds:1 blocked drained stop:1"),
    "done while a cancel waits": (
        "sounds:1 blocked stop:1 ends:1 got",
        "sounds:1 blocked stop:1 ends:1:turn got",
    ),
}


def test_every_race_has_its_stories() -> None:
    assert set(STORIES) == set(RACES)


@pytest.mark.parametrize("race", STORIES)
def test_a_race_is_met_in_one_story_and_not_in_the_other(race: str) -> None:
    here, there = STORIES[race]
    assert race in met(here).races
    assert race not in met(there).races
