"""What a client may create in a conversation (protocol.md §2.2), refused here before it is sent.

The service speaks for itself alone: of an assistant's message a client can give the text, and its
sound never. What was said or shown before is known by its id only, so it cannot be sent again.
"""

from __future__ import annotations

from collections.abc import Mapping

from bargein import events
from bargein.errors import LocalValueError

ITEM_ID_LIMIT = 32
"""Characters of an id that a client chooses (protocol.md §2.0)."""
TEXT_LIMIT = 256_000
"""Characters of one text (protocol.md §2.2)."""

_PARTS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "user": (
        (events.InputText, events.InputAudio, events.InputImage),
        "'input_text', 'input_audio' or 'input_image'",
    ),
    "system": ((events.InputText,), "'input_text'"),
    "assistant": ((events.OutputText,), "'output_text': the service lets nobody else speak for it"),
}


def check_new(where: str, item: events.Item) -> None:
    """Raises `LocalValueError`, which begins with `where` and names the field and the way out."""
    item_id = getattr(item, "id", None)
    if isinstance(item_id, str) and not 0 < len(item_id) <= ITEM_ID_LIMIT:
        raise LocalValueError(
            f"{where}: id: {len(item_id)} characters; give 1 to {ITEM_ID_LIMIT}, or none"
        )
    match item:
        case events.MessageItem(role=role, content=content):
            if role not in _PARTS:
                raise LocalValueError(
                    f"{where}: role: {role!r}; give 'user', 'assistant' or 'system'"
                )
            kinds, wanted = _PARTS[role]
            for index, part in enumerate(content):
                _check_part(f"{where}: content[{index}]", part, kinds, wanted)
        case events.FunctionCallItem(name=name):
            if not name:
                raise LocalValueError(f"{where}: name: empty; a call is of some function")
        case events.FunctionCallOutputItem(call_id=call_id, output=output):
            if not call_id:
                raise LocalValueError(f"{where}: call_id: empty; an output is of some call")
            _check_text(f"{where}: output", output)
        case _:
            raise LocalValueError(
                f"{where}: type: {events.type_of(item)!r}; an edit can create 'message', "
                "'function_call' and 'function_call_output'"
            )


def _check_part(where: str, part: events.ContentPart, kinds: tuple[type, ...], wanted: str) -> None:
    if not isinstance(part, kinds):
        raise LocalValueError(f"{where}: type: {events.type_of(part)!r}; give {wanted}")
    match part:
        case events.InputText(text=text) | events.OutputText(text=text):
            _check_text(f"{where}.text", text)
        case events.InputAudio(audio=audio) if not audio:
            raise LocalValueError(f"{where}.audio: missing; what was said before has only its id")
        case events.InputImage(image_url=url) if not url:
            raise LocalValueError(f"{where}.image_url: missing; what was shown has only its id")
        case _:
            pass


def _check_text(where: str, text: str) -> None:
    if len(text) > TEXT_LIMIT:
        raise LocalValueError(f"{where}: {len(text)} characters; the service takes {TEXT_LIMIT}")
