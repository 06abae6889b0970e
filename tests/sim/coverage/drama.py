"""Episodes told in words, for the tests of coverage: "create begins:1 got ask:interrupt cancel:1".

Each word is an entry of the log, a microsecond after the one before; one that begins with `&` comes
in the same microsecond. Numbers name responses (`resp_1` with `item_1`) and cuts (`cut_1`). What
the server sends is under way until `got`; `sounds:1` is a response of which sound has arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from tests.sim.tale import (
    MS,
    Tale,
    committed,
    created,
    delta,
    error,
    item_done,
    session_updated,
    speech_started,
    speech_stopped,
)

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.core.edited import Difference, Edited
from bargein.core.inputs import Part
from bargein.sim.coverage.tally import Met
from bargein.sim.coverage.watch import watch
from bargein.sim.history import Entry, Final, History, Kind, Truth
from bargein.sim.options import Options

_SECOND = 1_000 * MS

_ASKS: Mapping[str, asks.Ask] = {
    "interrupt": asks.Interrupt(),
    "say": asks.Say("Hello."),
    "respond": asks.Respond(),
    "cancel": asks.CancelReply(1),
    "press": asks.Press(),
    "release": asks.Release(),
    "leave": asks.Leave(),
    "mute": asks.Mute(True),
    "unmute": asks.Mute(False),
    "event": asks.SendEvent(events.ResponseCancel()),
    "delete": asks.SendEvent(events.ConversationItemDelete(item_id="item_9")),
    "edit": asks.Edit(()),
    "output": asks.SendEvent(
        events.ConversationItemCreate(
            item=events.FunctionCallOutputItem(call_id="call_1", output="{}")
        )
    ),
}


def met(words: str, options: Options | None = None) -> Met:
    """What the episode that goes so has met."""

    def tell(drama: Drama) -> None:
        for word in words.split():
            drama.do(word)

    return met_by(tell, options)


def met_by(tell: Callable[[Drama], None], options: Options | None = None) -> Met:
    """What the episode that is told so has met."""
    drama = Drama(options)
    tell(drama)
    final = Final(truth=Truth({}, {}, {}, ()), memory=(), mirror=())
    return watch(History(drama.options, tuple(drama.entries), final), drama.facts().refused)


def part(number: str, index: str = "0") -> Part:
    """A part of the response with that number."""
    return Part(f"resp_{number}", f"item_{number}", int(index))


class Drama(Tale):
    """Does what the words say."""

    def __init__(self, options: Options | None = None) -> None:
        self._now_us = 0
        self._create = -1
        super().__init__(options)

    def write(self, kind: Kind, what: object, number: int = -1, cause: int = -1) -> None:
        self.entries.append(Entry(self._now_us, kind, what, number, cause))

    def do(self, word: str) -> None:
        """One word."""
        if word.startswith("&"):
            word = word[1:]
        else:
            self._now_us += 1
        name, *rest = word.split(":")
        if name in ("got", "sounds"):
            getattr(self, name)(*rest)
            return
        deed: Callable[..., None] = getattr(self, f"do_{name}")
        deed(*rest)

    def got(self) -> None:
        self.arrive()

    def sounds(self, number: str) -> None:
        for word in ("create", f"begins:{number}", f"item:{number}", f"delta:{number}", "got"):
            self.do(word)

    # -- responses -----------------------------------------------------------------------------

    def do_create(self, kind: str = "") -> None:
        conversation = "none" if kind == "aside" else "auto"
        params = events.ResponseParams(conversation=conversation)
        self._create = self.client(events.ResponseCreate(response=params))

    def do_arrives(self, what: str = "create", number: str = "") -> None:
        if what == "create":
            self.write("server_got", events.ResponseCreate(), self._create)
        else:
            self.write("server_got", events.ResponseCancel(response_id=f"resp_{number}"))

    def do_begins(self, number: str, kind: str = "") -> None:
        conversation = None if kind == "aside" else "conv_1"
        cause = -1 if kind == "auto" else self._create
        self.server(created(f"resp_{number}", conversation), cause)

    def do_item(self, number: str) -> None:
        item = events.MessageItem(id=f"item_{number}", role="assistant", content=())
        self.server(
            events.ResponseOutputItemAdded(
                event_id="e", response_id=f"resp_{number}", output_index=0, item=item
            )
        )

    def do_delta(self, number: str, index: str = "0") -> None:
        self.server(delta(1_000, part(number, index)))

    def do_text(self, number: str) -> None:
        self.server(
            events.ResponseOutputTextDelta(
                event_id="e",
                response_id=f"resp_{number}",
                item_id=f"item_{number}",
                output_index=0,
                content_index=0,
                delta="Written.",
            )
        )

    def do_words(self, number: str) -> None:
        self.server(
            events.ResponseOutputAudioTranscriptDone(
                event_id="e",
                response_id=f"resp_{number}",
                item_id=f"item_{number}",
                output_index=0,
                content_index=0,
                transcript="Once upon a time.",
            )
        )

    def do_itemdone(self, number: str, status: str = "completed") -> None:
        self.server(item_done(f"item_{number}", status))

    def do_call(self, number: str, status: str = "completed") -> None:
        item = events.FunctionCallItem(
            id="item_call", call_id="call_1", name="weather", arguments="{}", status=status
        )
        self.server(
            events.ResponseOutputItemDone(
                event_id="e", response_id=f"resp_{number}", output_index=1, item=item
            )
        )

    def do_ends(self, number: str, how: str = "completed") -> None:
        by_server = how == "turn"
        status = "cancelled" if by_server else how
        details = events.StatusDetails(reason="turn_detected") if by_server else None
        output = (events.MessageItem(id=f"item_{number}", role="assistant", content=()),)
        response = events.Response(
            id=f"resp_{number}",
            status=status,
            status_details=details,
            output=() if how == "empty" else output,
            conversation_id="conv_1",
        )
        self.server(events.ResponseDone(event_id="e", response=response))

    def do_cancel(self, number: str) -> None:
        self.client(events.ResponseCancel(response_id=f"resp_{number}"))

    def do_active(self) -> None:
        """The server could not answer a turn by itself."""
        self.server(error("conversation_already_has_active_response"))

    def do_shorter(self) -> None:
        self.server(error("invalid_value", "Audio content of 1ms is already shorter than 2ms"))

    # -- cuts ----------------------------------------------------------------------------------

    def do_ask(self, name: str) -> None:
        self.write("input", inputs.Asked(1, _ASKS[name]))

    def do_edited(self, how: str = "") -> None:
        """What the edit is told to have done; or, of one that failed, how."""
        match how:
            case "late" | "local" | "lost":
                self.write("command", commands.Answer(1, None, "It failed.", how))
                return
            case "moved":
                done = Edited(moved={"item_8": "item_9"})
            case "created":
                done = Edited(created=("item_9",))
            case "":
                done = Edited()
            case _:
                difference = msgspec.convert({"item_id": "item_9", "why": how}, Difference)
                done = Edited(differences=(difference,))
        self.write("command", commands.Answer(1, done))

    def do_nothing(self) -> None:
        self.write("command", commands.Answer(1))

    def do_stop(self, number: str) -> None:
        self.write("command", commands.StopPlayback(f"cut_{number}"))

    def do_rendered(self, number: str, samples: str) -> None:
        self.write("input", inputs.Rendered((inputs.Heard(part(number), int(samples)),)))

    def do_answer(self, number: str, samples: str = "100") -> None:
        heard = (inputs.Heard(part(number), int(samples)),)
        self.write("input", inputs.PlaybackStopped(f"cut_{number}", heard))

    def do_hold(self) -> None:
        self.write("command", commands.HoldPlayback("hold_1"))

    def do_held(self) -> None:
        self.write("input", inputs.PlaybackHeld("hold_1", ()))

    def do_resume(self) -> None:
        self.write("command", commands.ResumePlayback())

    def do_record(self, number: str, asker: notices.Asker = "interrupt") -> None:
        self.notify(self.record(number, (asker,)))

    def record(
        self, number: str, askers: tuple[notices.Asker, ...], *parts: notices.PartRecord
    ) -> notices.Interruption:
        """Of a cut of the response with its number, an unheard part in it."""
        known = parts or (part_record(number),)
        return notices.Interruption(f"cut_{number}", askers, (f"resp_{number}",), 0, known, 0, None)

    def do_settle(self, number: str, *askers: notices.Asker) -> None:
        self.notify(self.settlement(number, askers or ("interrupt",)))

    def settlement(
        self,
        number: str,
        askers: tuple[notices.Asker, ...] = ("interrupt",),
        *parts: notices.PartRecord,
        exactness: notices.Exactness = "exact",
        sent: tuple[str, ...] = (),
    ) -> notices.InterruptionSettled:
        """The end of that cut."""
        known = parts or (part_record(number),)
        return notices.InterruptionSettled(
            f"cut_{number}", askers, (f"resp_{number}",), 0, 0, 0, exactness, known, sent
        )

    def notify(self, notice: notices.Notice) -> None:
        """The application is told."""
        self.write("command", commands.Notify(notice))

    def do_truncate(self, number: str, index: str = "0") -> None:
        self.client(
            events.ConversationItemTruncate(
                item_id=f"item_{number}", content_index=int(index), audio_end_ms=1
            )
        )

    def do_truncated(self, number: str) -> None:
        self.server(
            events.ConversationItemTruncated(
                event_id="e", item_id=f"item_{number}", content_index=0, audio_end_ms=1
            )
        )

    def do_delete(self, number: str) -> None:
        self.client(events.ConversationItemDelete(item_id=f"item_{number}"))

    def do_deleted(self, number: str) -> None:
        self.server(events.ConversationItemDeleted(event_id="e", item_id=f"item_{number}"))

    # -- the user, the settings, the pipe ------------------------------------------------------

    def do_speech(self) -> None:
        self.server(speech_started())

    def do_silence(self) -> None:
        self.server(speech_stopped())

    def do_committed(self) -> None:
        self.server(committed())

    def do_replies(self, yes: str = "yes") -> None:
        """The settings are agreed to."""
        self.server(session_updated(interrupts=True, creates=yes == "yes"))

    def do_update(self) -> None:
        self.client(events.SessionUpdate(session=events.Session()))

    def do_commit(self) -> None:
        self.client(events.InputAudioBufferCommit())

    def do_clear(self) -> None:
        self.client(events.InputAudioBufferClear())

    def do_buffer(self, what: str) -> None:
        """`clear` is ours; the others are the service's, and there at once."""
        if what == "clear":
            self.client(events.OutputAudioBufferClear())
            return
        kinds = {
            "started": events.OutputAudioBufferStarted,
            "stopped": events.OutputAudioBufferStopped,
            "cleared": events.OutputAudioBufferCleared,
        }
        self.write("client_got", kinds[what](event_id="event_b", response_id="resp_1"))

    def do_media(self, what: str = "loud") -> None:
        """A piece of a call's sound."""
        audio = bytes(960) if what == "silent" else b"\x01" * 960
        self.write("input", inputs.MediaArrived(0, audio))

    def do_append(self) -> None:
        self.client(events.InputAudioBufferAppend(audio=b"\0\0"))

    def do_captured(self) -> None:
        self.write("input", inputs.Captured(b"\0\0"))

    def do_blocked(self) -> None:
        self.write("input", inputs.Blocked())

    def do_drained(self) -> None:
        self.write("input", inputs.Drained())

    def do_died(self) -> None:
        self.write("input", inputs.PipeClosed())

    def do_closed(self) -> None:
        self.write("input", inputs.PipeClosed(1000))

    def do_close(self) -> None:
        self.write("command", commands.Close())

    def do_turn(self, *ask_ids: str) -> None:
        self.notify(notices.TurnStarted("assistant", ask_ids=tuple(map(int, ask_ids))))

    def do_placed(self, number: str, behind: str = "") -> None:
        """An item is added behind another one."""
        item = events.MessageItem(id=f"item_{number}", role="user", content=())
        before = f"item_{behind}" if behind else None
        self.server(events.ConversationItemAdded(event_id="e", item=item, previous_item_id=before))

    def do_starved(self) -> None:
        self.write("input", inputs.Starved(480))

    def do_regret(self) -> None:
        self.notify(notices.TurnEnded("user", "superseded"))

    def do_told(self) -> None:
        self.notify(notices.ToolCalled("call_1", "weather", "{}", "item_call", "resp_1"))


def part_record(
    number: str,
    *,
    index: int = 0,
    received: int = _SECOND,
    heard: int = 0,
    action: Literal["none", "truncate", "delete", "pending"] = "pending",
    sent_ms: int | None = None,
    answer: str = "",
    item: str = "",
) -> notices.PartRecord:
    """What became of a part, of which nothing was heard."""
    return notices.PartRecord(
        f"resp_{number}",
        item or f"item_{number}",
        index,
        24_000,
        received,
        heard,
        heard // MS,
        action,
        sent_ms,
        None,
        answer,
    )
