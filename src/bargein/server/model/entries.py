"""One item of a conversation and its parts, as the server holds them, and the three ways to show
them.

1. A part of audio is measured in samples of its own format. What was sent to the client is made;
   what is kept is that, until a truncation cuts it. A truncated part stays cut: what the model
   still makes is sent but not kept.
2. Truncation drops the transcript (protocol.md §4.8). The words that ended before the cut are
   remembered beside it, for the model's context; the wire never shows them.
3. Events of the making show the text as it was made, also after a truncation (S1); `retrieved`
   shows what is remembered; the engine is told what is remembered and the words of cut audio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import msgspec
from msgspec import UNSET

from bargein import events
from bargein.server.model import images
from bargein.server.model.score import Word
from bargein.units import AudioFormat

PartKind = Literal["input_text", "input_audio", "input_image", "output_text", "output_audio"]

_FORMAT_NAMES = {
    AudioFormat.PCM: "pcm16",
    AudioFormat.PCMU: "g711_ulaw",
    AudioFormat.PCMA: "g711_alaw",
}


@dataclass(slots=True, eq=False)
class Part:
    """One content part. `text` is the text, or of audio the transcript as far as it was made."""

    kind: PartKind
    text: str | None = None
    format: AudioFormat = AudioFormat.PCM
    made_samples: int = 0
    kept_samples: int = 0
    truncated: bool = False
    closed: bool = False
    words: list[Word] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    sound_let_go: bool = False
    image: events.InputImage | None = None
    image_tokens: int = 0
    heard: str | None = None
    """What was transcribed of the user's audio."""

    def sound(self) -> bytes:
        """The audio that is kept, joined once."""
        if len(self.chunks) > 1:
            self.chunks = [b"".join(self.chunks)]
        return self.chunks[0] if self.chunks else b""

    def cut(self, samples: int) -> int:
        """Keep the first `samples` and drop the transcript; return how many bytes of sound that
        frees."""
        self.kept_samples = min(self.kept_samples, samples)
        self.truncated = True
        sound = self.sound()
        kept = sound[: self.kept_samples * self.format.bytes_per_sample]
        self.chunks = [kept] if kept else []
        return len(sound) - len(kept)

    def kept_words(self) -> tuple[Word, ...]:
        """The words that end within what is kept."""
        return tuple(word for word in self.words if word.end_sample <= self.kept_samples)

    def remembered_text(self) -> str | None:
        """The text; of cut audio, none."""
        return None if self.truncated else self.text

    def heard_text(self) -> str | None:
        """The text; of cut audio, the words that were kept."""
        if not self.truncated:
            return self.text
        return " ".join(word.text.strip() for word in self.kept_words())


@dataclass(slots=True, eq=False)
class Entry:
    """One item. `previous_id` and `done_previous_id`: the item before it, as `added` and `done`
    name it."""

    id: str
    kind: Literal[
        "message",
        "function_call",
        "function_call_output",
        "mcp_call",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
    ]
    status: str | None = None
    role: str = ""
    phase: str | None = None
    parts: list[Part] = field(default_factory=list)
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    output: str | None = None
    server_label: str = ""
    approval_request_id: str | None = None
    error: events.McpError | None = None
    fixed: events.Item | None = None
    """What is shown of an item that has no parts and is not made by deltas."""
    previous_id: str | None = None
    done_previous_id: str | None = None
    left_out: bool = False
    """Whether the model is not told it any more (`context`)."""

    @property
    def is_cut(self) -> bool:
        """Whether some of its sound was truncated."""
        return any(part.truncated for part in self.parts)

    @property
    def image_bytes(self) -> int:
        """How much its images take, as they are written."""
        given = (part.image for part in self.parts if part.image is not None)
        return sum(len(each.image_url) for each in given if isinstance(each.image_url, str))

    @property
    def text_characters(self) -> int:
        """How much text it holds now."""
        texts = (part.text or "" for part in self.parts)
        return sum(map(len, texts)) + len(self.arguments) + len(self.output or "")

    def shown(self, *, with_images: bool = True) -> events.Item:
        """As the events of its making show it: without sound, and without images if told so."""
        return self._as_event(_shown if with_images else _shown_without_images)

    def retrieved(self, *, transcripts: bool = False) -> events.Item:
        """As `conversation.item.retrieved` shows it: what is remembered, with its sound; and, if
        `transcripts`, with what was transcribed of the user's."""
        return self._as_event(partial(_retrieved, transcripts=transcripts))

    def known(self) -> events.Item:
        """As the engine is told it: the user's sound, the assistant's words as far as they were
        heard."""
        return self._as_event(_known)

    def _as_event(self, show: Callable[[Part], events.ContentPart]) -> events.Item:
        if self.fixed is not None:
            return self.fixed
        if self.kind == "mcp_call":
            return events.McpCallItem(
                id=self.id,
                server_label=self.server_label,
                name=self.name,
                arguments=self.arguments,
                approval_request_id=self.approval_request_id,
                output=self.output,
                error=self.error,
            )
        if self.kind == "function_call":
            return events.FunctionCallItem(
                id=self.id,
                status=UNSET if self.status is None else self.status,
                name=self.name,
                call_id=self.call_id,
                arguments=self.arguments,
            )
        if self.kind == "function_call_output":
            return events.FunctionCallOutputItem(
                id=self.id, call_id=self.call_id, output=self.output or ""
            )
        return events.MessageItem(
            id=self.id,
            status=UNSET if self.status is None else self.status,
            role=self.role,
            content=tuple(show(part) for part in self.parts),
            phase=UNSET if self.phase is None else self.phase,
        )


def _shown(part: Part) -> events.ContentPart:
    match part.kind:
        case "output_audio":
            return events.OutputAudio(transcript=part.text or "")
        case "input_audio":
            return events.InputAudio(transcript=part.text)
        case _:
            return _written(part)


def _shown_without_images(part: Part) -> events.ContentPart:
    shown = _shown(part)
    if isinstance(shown, events.InputImage):
        return msgspec.structs.replace(shown, image_url=UNSET)
    return shown


def _retrieved(part: Part, *, transcripts: bool) -> events.ContentPart:
    text = part.remembered_text()
    # Where the sound was let go (`Limits.kept_audio_bytes`), the field is absent rather than empty.
    sound = UNSET if part.sound_let_go else part.sound()
    match part.kind:
        case "output_audio":
            return events.OutputAudio(
                audio=sound,
                transcript=UNSET if text is None else text,
                format=_FORMAT_NAMES[part.format],
            )
        case "input_audio":
            if transcripts and part.heard is not None:
                text = part.heard
            return events.InputAudio(
                audio=sound, transcript=text, format=_FORMAT_NAMES[part.format]
            )
        case _:
            return _written(part)


def _known(part: Part) -> events.ContentPart:
    match part.kind:
        case "output_audio":
            return events.OutputAudio(transcript=part.heard_text() or "")
        case "input_audio":
            return events.InputAudio(
                audio=UNSET if part.sound_let_go else part.sound(),
                transcript=part.text if part.heard is None else part.heard,
                format=_FORMAT_NAMES[part.format],
            )
        case _:
            return _written(part)


def _written(part: Part) -> events.ContentPart:
    if part.kind == "input_text":
        return events.InputText(text=part.text or "")
    if part.image is not None:
        return part.image
    return events.OutputText(text=part.text or "")


def entry_of(item: events.Item, item_id: str) -> Entry:
    """The entry of an item that a client gives, whose shape is right. Its `status` has no
    effect."""
    match item:
        case events.FunctionCallItem():
            return Entry(
                id=item_id,
                kind="function_call",
                status="completed",
                name=item.name,
                call_id=item.call_id if isinstance(item.call_id, str) else "",
                arguments=item.arguments,
            )
        case events.FunctionCallOutputItem():
            return Entry(
                id=item_id, kind="function_call_output", call_id=item.call_id, output=item.output
            )
        case events.McpApprovalResponseItem():
            shown = msgspec.structs.replace(item, id=item_id, object=UNSET)
            return Entry(id=item_id, kind="mcp_approval_response", fixed=shown)
        case events.MessageItem():
            return Entry(
                id=item_id,
                kind="message",
                status="completed",
                role=item.role,
                phase=item.phase if isinstance(item.phase, str) else None,
                parts=[_part_of(part) for part in item.content],
            )
        case _:
            raise TypeError(f"{type(item).__name__} is no item that a client may create")


def _part_of(part: events.ContentPart) -> Part:
    match part:
        case events.InputText(text=text):
            return Part("input_text", text, closed=True)
        case events.OutputText(text=text):
            return Part("output_text", text, closed=True)
        case events.InputImage(image_url=uri, detail=detail):
            asked = detail if isinstance(detail, str) else None
            cost = images.tokens(uri, asked) if isinstance(uri, str) else 0
            return Part("input_image", image=part, image_tokens=cost, closed=True)
        case events.InputAudio(audio=audio, transcript=transcript):
            sound = audio if isinstance(audio, bytes) else b""
            samples = AudioFormat.PCM.samples(len(sound))
            return Part(
                "input_audio",
                transcript if isinstance(transcript, str) else None,
                made_samples=samples,
                kept_samples=samples,
                chunks=[sound],
                closed=True,
            )
        case _:
            raise TypeError(f"{type(part).__name__} is no part that a client may create")
