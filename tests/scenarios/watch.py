"""What no machine may ever send, whatever happened; and what it sent, as short lines."""

from __future__ import annotations

import re

import msgspec

from bargein import events
from bargein.core import asks, commands, inputs
from bargein.core.notices import Connected, Interruption, UsageReported
from bargein.core.responses import METADATA_KEY


class Watch:
    """What holds for every command of every machine (rules 7, 9, 12 and 14 of the ledger)."""

    def __init__(self) -> None:
        self.open = False
        self.owned = False
        self.done: set[str] = set()
        self.cancelled: set[str] = set()
        self.truncated: set[tuple[str, int, int]] = set()
        self.deleted: set[str] = set()
        self.answered: set[int] = set()
        self.asked: set[int] = set()
        self.application: set[str] = set()
        self.stopped: set[str] = set()

    def input(self, happened: inputs.Input) -> None:
        """Before the machine has it."""
        match happened:
            case inputs.PipeOpened(capabilities=can):
                self.open = True
                self.owned = can.playback_owner == "server"
                self.truncated.clear()
                self.deleted.clear()
                self.cancelled.clear()
            case inputs.PipeClosed():
                self.open = False
            case inputs.Asked(ask_id=ask_id, ask=ask):
                self.asked.add(ask_id)
                if isinstance(ask, asks.SendEvent) and ask.event.event_id is not None:
                    self.application.add(ask.event.event_id)
            case inputs.Received(event=events.ResponseDone(response=response)):
                self.done.add(response.id)
            case inputs.Received(event=events.Error()):
                # A refusal may ask for the same number again, or name what must go.
                self.truncated.clear()
            case _:
                pass

    def command(self, command: commands.Command) -> None:
        """One command, in order."""
        _is_of_its_types(command)
        match command:
            case commands.Send(event=event):
                assert self.open, f"{events.type_of(event)} is sent on a closed pipe"
                if event.event_id not in self.application:
                    assert _ours("evt", event.event_id), "an id that says what it is of"
                    self._sent(event)
            case commands.SendAudio():
                assert self.open, "sound is sent on a closed pipe"
            case commands.HoldPlayback(cut_id=hold_id):
                assert _ours("hold", hold_id)
            case commands.StopPlayback(cut_id=cut_id):
                assert _ours("cut", cut_id)
                assert cut_id not in self.stopped, "one stop for each cut"
                self.stopped.add(cut_id)
            case commands.Close():
                self.open = False
            case commands.Answer(ask_id=ask_id):
                assert ask_id in self.asked, "an answer to what nobody asked"
                assert ask_id not in self.answered, "an ask is answered once"
                self.answered.add(ask_id)
            case commands.Notify(notice=Interruption(cut_id=cut_id)):
                assert _ours("cut", cut_id)
            case _:
                pass

    def _sent(self, event: events.ClientEvent) -> None:
        match event:
            case events.ConversationItemTruncate() | events.ConversationItemDelete() if self.owned:
                raise AssertionError("the service settles by itself what it plays")
            case events.ConversationItemTruncate():
                key = event.item_id, event.content_index, event.audio_end_ms
                assert key not in self.truncated, f"truncated twice alike: {key}"
                self.truncated.add(key)
            case events.ConversationItemDelete():
                assert event.item_id not in self.deleted, f"deleted twice: {event.item_id}"
                self.deleted.add(event.item_id)
            case events.ResponseCancel():
                assert isinstance(event.response_id, str), "a cancel without an id"
                assert event.response_id not in self.done, "a cancel after response.done"
                assert event.response_id not in self.cancelled, "cancelled twice"
                self.cancelled.add(event.response_id)
            case events.ResponseCreate(response=events.ResponseParams(metadata=dict(metadata))):
                if len(metadata) == 1:
                    assert _ours("create", metadata[METADATA_KEY])
            case _:
                pass


def _ours(kind: str, our_id: object) -> bool:
    """Ids of ours say in a trace what they are of; numbers make them unique."""
    return isinstance(our_id, str) and re.fullmatch(rf"{kind}_\w+_[0-9a-f]+", our_id) is not None


def _is_of_its_types(command: commands.Command) -> None:
    """Every label of a command or notice is one that its type names: roles, askers, actions, ids.

    What is sent is read back from the wire. A session and a usage are the service's own and come as
    they are.
    """
    match command:
        case commands.Send(event=event):
            frame = events.encode(event)
            read = events.decode_client(frame)
            assert not isinstance(read, events.Malformed)
            assert events.encode(read) == frame
        case commands.Notify(notice=Connected(session=session)):
            assert isinstance(session, events.Session)
        case commands.Notify(notice=UsageReported(usage=usage)):
            assert isinstance(usage, events.Usage)
        case commands.Answer():
            assert type(command.ask_id) is int
            assert command.kind in (None, "local", "refused", "late", "lost")
            assert isinstance(command.error, str) is (command.kind is not None)
        case _:
            plain = msgspec.to_builtins(command, builtin_types=(bytes,))
            assert msgspec.convert(plain, commands.Command, builtin_types=(bytes,)) == command


def line(event: events.ClientEvent) -> str:
    """An event of ours in a few words."""
    match event:
        case events.ConversationItemTruncate():
            return f"truncate {event.item_id}/{event.content_index} {event.audio_end_ms}"
        case events.ConversationItemDelete():
            return f"delete {event.item_id}"
        case events.ResponseCancel():
            return f"cancel {event.response_id}"
        case events.ResponseCreate():
            return "create"
        case events.InputAudioBufferCommit():
            return "commit"
        case events.InputAudioBufferClear():
            return "clear"
        case events.OutputAudioBufferClear():
            return "clear output"
        case events.ConversationItemCreate(item=events.MessageItem(content=content)):
            texts = [part.text for part in content if isinstance(part, events.InputText)]
            return f"say {''.join(texts)}"
        case events.ConversationItemCreate(item=events.FunctionCallOutputItem(output=output)):
            return f"output {output}"
        case _:
            return events.type_of(event)
