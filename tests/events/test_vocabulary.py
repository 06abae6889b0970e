"""The vocabulary against the official `openai` package: every event, field by field, both ways."""

from __future__ import annotations

import inspect as python_inspect
import types
import typing
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import pydantic
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent

from bargein.events import ClientEvent, ServerEvent, Shape, UnknownShape, members, type_of

_OBFUSCATION = "padding on every text delta of the recorded wire; documented for MCP only"
_RUNNING = "the service's own field of a running session; the package types the request only"
_FORMAT = "documentation of conversation.item.retrieved: the audio comes with its format"
_OBJECT = "any item may carry it; the package has it on some"
_VARIABLE = "sent as the application gives it; nothing here reads a stored prompt's variables"

# What differs, and why it must. A row that is no longer needed fails the test.
DIFFERENCES: dict[str, str] = {
    "only ours: AudioPart.format": _FORMAT,
    "only ours: ConversationItemInputAudioTranscriptionDelta.obfuscation": _OBFUSCATION,
    "only ours: InputAudio.format": _FORMAT,
    "only ours: InputAudioBufferDtmfEventReceived.event_id": "all server events share the field",
    "only ours: ItemReference": "protocol.md section 2.2: names an item in response.create.input",
    "only ours: McpApprovalRequestItem.object": _OBJECT,
    "only ours: McpApprovalResponseItem.object": _OBJECT,
    "only ours: McpCallItem.object": _OBJECT,
    "only ours: McpListToolsItem.object": _OBJECT,
    "only ours: MessageItem.phase": "on the recorded wire of gpt-realtime-2.x",
    "only ours: OutputAudio.format": _FORMAT,
    "only ours: ResponseFunctionCallArgumentsDelta.obfuscation": _OBFUSCATION,
    "only ours: ResponseOutputAudioTranscriptDelta.obfuscation": _OBFUSCATION,
    "only ours: ResponseOutputTextDelta.obfuscation": _OBFUSCATION,
    "only ours: Session.expires_at": _RUNNING,
    "only ours: Session.id": _RUNNING,
    "only ours: Session.object": _RUNNING,
    "only ours: TranscriptionSession.expires_at": _RUNNING,
    "only ours: TranscriptionSession.id": _RUNNING,
    "only ours: TranscriptionSession.object": _RUNNING,
    "only theirs: Prompt.variables as ResponseInputFile": _VARIABLE,
    "only theirs: Prompt.variables as ResponseInputImage": _VARIABLE,
    "only theirs: Prompt.variables as ResponseInputText": _VARIABLE,
    "our type is wider: AudioOutputConfig.voice": "one struct for session and response; the "
    "package lets a response show a named voice only",
    "our type is wider: McpCallItem.error": "compatible servers send a text",
    "our type is wider: Response.status_details": "xAI sends a text (recorded)",
}


class Comparison:
    """Walks both type trees at once and notes what differs."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.theirs: defaultdict[type[Shape], set[str]] = defaultdict(set)
        self._done: set[tuple[Any, ...]] = set()

    def events(self, ours: Any, theirs: Any) -> None:
        by_tag = {type_of(cls): cls for cls in members(ours)}
        models = {tag: model for model in _models(theirs) for tag in _tags(model)}
        self.found |= {f"only ours: {tag}" for tag in by_tag.keys() - models.keys()}
        self.found |= {f"only theirs: {tag}" for tag in models.keys() - by_tag.keys()}
        for tag in by_tag.keys() & models.keys():
            self.struct([by_tag[tag]], models[tag])

    def unmatched(self, ours: Any) -> None:
        """Notes what of ours no model had; for the end, when all models have been seen."""
        for cls in _reachable(ours):
            if cls not in self.theirs:
                self.found.add(f"only ours: {cls.__name__}")
                continue
            for name in _fields(cls).keys() - self.theirs[cls]:
                self.found.add(f"only ours: {cls.__name__}.{name}")

    def struct(self, ours: list[type[Shape]], model: type[pydantic.BaseModel]) -> None:
        """One model against the structs that hold it: several if the model is several types."""
        if (key := (*ours, model)) in self._done:
            return
        self._done.add(key)
        for name, info in model.model_fields.items():
            wire_name = info.alias or name
            holders = [cls for cls in ours if wire_name in _fields(cls)]
            for cls in holders:
                self.theirs[cls].add(wire_name)
                self.field(cls, wire_name, info)
            tagged = ours[0].__struct_config__.tag is not None
            if not holders and not (wire_name == "type" and tagged):
                self.found.add(f"only theirs: {ours[0].__name__}.{wire_name}")
        for cls in ours:
            self.theirs[cls] |= set()

    def field(self, cls: type[Shape], name: str, info: pydantic.fields.FieldInfo) -> None:
        mine, required = _fields(cls)[name]
        where = f"{cls.__name__}.{name}"
        if required and not info.is_required():
            self.found.add(f"required by us only: {where}")
        self.value(where, mine, info.annotation)

    def value(self, where: str, ours: Any, theirs: Any) -> None:
        mine, their = set(_kinds(ours)), set(_kinds(theirs))
        if "any" not in mine and not their <= mine:
            self.found.add(f"their type is wider: {where}")
        if their and not mine - {"null"} <= their | {"null"} and "any" not in their:
            self.found.add(f"our type is wider: {where}")
        for model in _models(theirs):
            if "any" in mine:
                continue
            targets = _targets(ours, model)
            if targets:
                self.struct(targets, model)
            else:
                self.found.add(f"only theirs: {where} as {model.__name__}")


def _arguments(annotation: Any) -> Iterator[Any]:
    """The members of a union, or the annotation itself, without Annotated."""
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        yield from _arguments(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for each in get_args(annotation):
            yield from _arguments(each)
    else:
        yield annotation


def _is_class(each: Any, base: type) -> bool:
    return python_inspect.isclass(each) and get_origin(each) is None and issubclass(each, base)


def _deep(annotation: Any, base: type) -> Iterator[Any]:
    """The classes of a kind in an annotation, inside its arrays too."""
    for each in _arguments(annotation):
        if _is_class(each, base):
            yield each
        elif get_origin(each) in (list, tuple, dict):
            for inner in get_args(each):
                yield from _deep(inner, base)


def _models(annotation: Any) -> list[type[pydantic.BaseModel]]:
    return list(_deep(annotation, pydantic.BaseModel))


def _tags(model: type[pydantic.BaseModel]) -> set[str]:
    info = model.model_fields.get("type")
    return (
        set()
        if info is None
        else {
            value
            for each in _arguments(info.annotation)
            if get_origin(each) is Literal
            for value in get_args(each)
        }
    )


def _targets(ours: Any, model: type[pydantic.BaseModel]) -> list[type[Shape]]:
    shapes = [cls for cls in _deep(ours, Shape) if not issubclass(cls, UnknownShape)]
    tags = _tags(model)
    named = [cls for cls in shapes if cls.__struct_config__.tag in tags]
    return named or [cls for cls in shapes if cls.__struct_config__.tag is None]


def _fields(cls: type[Shape]) -> dict[str, tuple[Any, bool]]:
    """The wire's fields of a struct: annotation, and whether decoding insists on it."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        field.encode_name: (hints[field.name], field.required and not _is_lenient(field.type))
        for field in msgspec.structs.fields(cls)
        if field.name != "extra"
    }


def _is_lenient(annotation: Any) -> bool:
    return get_origin(annotation) is typing.Annotated


def _kinds(annotation: Any) -> Iterator[str]:
    """The JSON kinds that an annotation allows; what may be missing may be null."""
    if _is_lenient(annotation):
        yield "null"
    for each in _arguments(annotation):
        if each is Any or each is object:
            yield "any"
        elif get_origin(each) is Literal:
            yield from ("integer" if isinstance(v, int) else "string" for v in get_args(each))
        elif get_origin(each) in (list, tuple):
            yield "array"
        elif (
            get_origin(each) is dict
            or _is_class(each, (Shape))
            or _is_class(each, pydantic.BaseModel)
        ):
            yield "object"
        elif each is not msgspec.UnsetType:
            yield {
                str: "string",
                bytes: "string",
                bool: "boolean",
                int: "integer",
                float: "number",
                type(None): "null",
            }[each]


def _reachable(union: Any) -> set[type[Shape]]:
    found: set[type[Shape]] = set()
    todo = list(_deep(union, Shape))
    while todo:
        cls = todo.pop()
        if cls not in found:
            found.add(cls)
            todo += [each for hint, _ in _fields(cls).values() for each in _deep(hint, Shape)]
    return {cls for cls in found if not issubclass(cls, UnknownShape)}


def _differences() -> set[str]:
    comparison = Comparison()
    comparison.events(ServerEvent, RealtimeServerEvent)
    comparison.events(ClientEvent, RealtimeClientEvent)
    comparison.unmatched(ServerEvent | ClientEvent)
    return comparison.found


def test_every_difference_from_the_official_package_is_in_the_table_and_each_row_is_needed() -> (
    None
):
    found = _differences()
    assert sorted(found - DIFFERENCES.keys()) == []
    assert sorted(DIFFERENCES.keys() - found) == []
