"""The session begins and changes; and what cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bargein import events
from bargein.core.commands import UseInputFormat
from bargein.core.faults import Sent
from bargein.core.notices import Connected, Raw
from bargein.deadlines import Timer

if TYPE_CHECKING:
    from bargein.core.machine import Machine


def created(machine: Machine, event: events.SessionCreated) -> None:
    """The session stands; ours is asked for."""
    _configure(machine, event.session)
    if machine.connected or machine.ending:
        return
    if machine.settings.session == events.Session():
        _connected(machine)
        return
    asked(machine)


def asked(machine: Machine) -> None:
    """Ask for ours. Of a call that was joined nothing else tells what is in effect: nobody says
    `session.created` there (protocol.md §1.1.6)."""
    update = events.SessionUpdate(
        event_id=machine.desk.new_id("evt"), session=machine.settings.session
    )
    machine.faults.remember(Sent(update, update.event_id or "", "connect"))
    machine.desk.send(update)


def updated(machine: Machine, event: events.SessionUpdated) -> None:
    """The service agreed to the oldest update."""
    _configure(machine, event.session)
    memory = machine.faults.oldest(events.SessionUpdate)
    if memory is None:
        return
    machine.faults.forget(memory)
    machine.desk.deadlines.stop(Timer.ACKNOWLEDGED, memory.event_id)
    machine.desk.answer(memory.ask_id, event.session)
    if memory.key == "connect" and not machine.ending:
        _connected(machine)


def _connected(machine: Machine) -> None:
    machine.connected = True
    machine.desk.deadlines.stop(Timer.SESSION, "")
    machine.desk.notify(Connected(machine.effective))
    if machine.spending is not None:
        machine.spending.begun()


def _configure(machine: Machine, session: events.AnySession) -> None:
    if not isinstance(session, events.Session):
        return
    before = machine.listening.audio_format
    machine.effective = session
    machine.pruning.changed()
    machine.listening.configure(session)
    machine.conversation.input_format = machine.listening.audio_format
    if machine.listening.audio_format is not before or not machine.connected:
        machine.desk.outbox.use_format(machine.listening.audio_format)
        machine.desk.do(UseInputFormat(machine.listening.audio_format))


def unknown(machine: Machine, event: events.Unknown) -> None:
    """An event outside the vocabulary: passed on."""
    machine.desk.notify(Raw(event.type, dict(event.raw)))


def malformed(machine: Machine, event: events.Malformed) -> None:
    """A frame that is no event: passed on."""
    machine.desk.notify(Raw("malformed", {"reason": event.reason}))
