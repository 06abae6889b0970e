"""What the client's machine wants done. Imperative; a closed set; done in order before the next
input.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from bargein import events
from bargein.core.inputs import Part
from bargein.core.notices import Notice
from bargein.units import AudioFormat


class Send(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Write the event to the pipe."""

    event: events.ClientEvent


class SendAudio(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Write the sound to the pipe as `input_audio_buffer.append`; wire bytes, as they were
    captured.
    """

    audio: bytes


class Play(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Queue sound of the part at the player; wire bytes of the part's format."""

    part: Part
    audio: bytes
    format: AudioFormat


class FinishPlay(msgspec.Struct, frozen=True, tag=True, gc=False):
    """All sound of the part was given: `Player.finish`."""

    part: Part


class HoldPlayback(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fall silent and keep the queue; answered by `PlaybackHeld`."""

    cut_id: str


class ResumePlayback(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Go on where the hold stopped."""


class StopPlayback(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Fall silent and drop the queue; answered by `PlaybackStopped`."""

    cut_id: str


class UseInputFormat(msgspec.Struct, frozen=True, tag=True, gc=False):
    """From now on capture in this wire format; it is said once before the first sound is wanted."""

    format: AudioFormat


class MuteMicrophone(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Deliver silence instead of sound, or sound again: `Recorder.mute`."""

    muted: bool


class AskApproval(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Ask the application whether this call may run; answered by `ToolApproved`, perhaps late.
    With a `server_label` it is the service that would call, a tool of that MCP server."""

    call_id: str
    name: str
    arguments: str
    server_label: str = ""


class RunTool(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Run the tool; answered by `ToolReturned`. `arguments` are the model's, unread."""

    call_id: str
    name: str
    arguments: str


class CancelTool(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The tool's result, or the approval, is not wanted any more. A tool that has ended is meant,
    too."""

    call_id: str


class Answer(msgspec.Struct, frozen=True, tag=True, gc=False):
    """The application's ask has come to its end: with a value, or with an error.

    `error` is the text of a `LocalProtocolError` (`local`), a refusal of the service (`refused`,
    with its `code`), a wait that ended at its deadline (`late`), or the end of the pipe (`lost`).
    """

    ask_id: int
    value: Any = None
    error: str | None = None
    kind: str | None = None
    code: str | None = None


class Notify(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Tell the application."""

    notice: Notice


class Close(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Close the pipe."""

    code: int = 1000
    reason: str = ""


Command: TypeAlias = (
    Send
    | SendAudio
    | Play
    | FinishPlay
    | HoldPlayback
    | ResumePlayback
    | StopPlayback
    | UseInputFormat
    | MuteMicrophone
    | AskApproval
    | RunTool
    | CancelTool
    | Answer
    | Notify
    | Close
)
