"""What a function says of itself: the JSON schema that the model is shown, and the reading by it.

1. The schema and the reading come from one type that is made of the function's parameters, so what
   the model is shown is what is accepted: no more fields, no other types, no numbers as text.
2. Types are those of `msgspec`: the JSON types, `Optional`, unions, `Literal`, enums, dataclasses,
   typed dicts, `datetime`, and `Annotated` with `msgspec.Meta`, with a plain text as description,
   or with a pydantic `Field`; pydantic models, too, where that library is there.
3. A parameter of the type `ToolContext` is not shown to the model: it is injected.
4. Descriptions are the docstring's: its first paragraph, and what it says of each parameter in the
   manner of Google, NumPy, reST or Epydoc.
"""

from __future__ import annotations

import inspect
import operator
import threading
import types
import typing
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import docstring_parser
import msgspec

from bargein.errors import BargeinError, LocalValueError

_REFS = "#/$defs/"
_GENERIC = (list, set, frozenset, tuple, dict)
_CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")


class ToolError(BargeinError):
    """Raise it in a tool: the model is told its text. Of any other exception it is told the type
    only, because its text may hold what is nobody's business."""


@dataclass(slots=True)
class ToolContext:
    """Injected into a parameter of this type. `session` is the `bargein.Session` of the call."""

    call_id: str
    name: str
    session: Any = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the result is not wanted any more; a tool in a thread looks at it by itself."""


class ArgumentsError(Exception):
    """The model's arguments do not fit; the text says why, for the model."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What `signature_of` found."""

    description: str
    parameters: dict[str, Any]
    """JSON schema of an object, without references where it has no cycle."""
    context_name: str | None
    _type: type[msgspec.Struct]

    def read(self, arguments: str) -> dict[str, Any]:
        """The model's arguments as keyword arguments. Raises `ArgumentsError`."""
        try:
            given = msgspec.json.decode(arguments or "{}", type=self._type, dec_hook=_decode)
            _check_names(msgspec.json.decode(arguments or "{}"), self.parameters, self.parameters)
        except msgspec.ValidationError as error:
            raise ArgumentsError(f"The arguments do not fit: {error}") from None
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise ArgumentsError(f"The arguments are no JSON: {error}") from None
        return {name: getattr(given, name) for name in self._type.__struct_fields__}


def signature_of(function: Callable[..., Any], name: str) -> Signature:
    """Read a function. Raises `LocalValueError` naming the parameter that cannot be."""
    if _generates(function):
        raise LocalValueError(
            f"tool {name}: it is a generator, and a call has one result; return a list"
        )
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(_hinted(function), include_extras=True)
    except NameError as error:
        raise LocalValueError(
            f"tool {name}: {error}; annotations must name what the module knows"
        ) from error
    doc = docstring_parser.parse(_documentation(function))
    about = {param.arg_name: param.description or "" for param in doc.params}
    context_name: str | None = None
    fields: list[tuple[str, Any, Any]] = []
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise LocalValueError(
                f"tool {name}: *{parameter.name} has no schema; name each parameter"
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise LocalValueError(
                f"tool {name}: {parameter.name} is positional only, and a model gives names; "
                "take the slash away"
            )
        hint = hints.get(parameter.name, inspect.Parameter.empty)
        if hint is ToolContext or hint == ToolContext | None:
            context_name = parameter.name
            continue
        if hint is inspect.Parameter.empty:
            raise LocalValueError(
                f"tool {name}: {parameter.name} has no type; annotate it, such as "
                f"{parameter.name}: str"
            )
        fields.append(_field(parameter, hint, about.get(parameter.name, "")))
    shown = " ".join(part for part in (doc.short_description, doc.long_description) if part)
    try:
        made = msgspec.defstruct(name, fields, forbid_unknown_fields=True, kw_only=True)
        schema = _schema_of(made)
    except (TypeError, ValueError) as error:
        raise LocalValueError(f"tool {name}: its parameters have no schema: {error}") from error
    return Signature(shown, schema, context_name, made)


def _hinted(function: Callable[..., Any]) -> Any:
    while isinstance(function, partial):
        function = function.func
    is_plain = inspect.isroutine(function) or inspect.isclass(function)
    return function if is_plain else type(function).__call__


def _generates(function: Callable[..., Any]) -> bool:
    called = _hinted(function)
    return inspect.isasyncgenfunction(called) or inspect.isgeneratorfunction(called)


def _documentation(function: Callable[..., Any]) -> str:
    """Of what is called, else of the object that can be; never that of `partial` itself."""
    while isinstance(function, partial):
        function = function.func
    own = _hinted(function)
    of_class = "" if own is function else inspect.getdoc(type(function))
    return inspect.getdoc(own) or of_class or ""


def _field(parameter: inspect.Parameter, hint: Any, about: str) -> tuple[str, Any, Any]:
    hint = _understood(hint)
    if about and not _described(hint):
        hint = typing.Annotated[hint, msgspec.Meta(description=about)]
    default = parameter.default
    if default is inspect.Parameter.empty:
        return parameter.name, hint, msgspec.NODEFAULT
    if isinstance(default, list | dict | set | bytearray) or not _is_plain(default):
        return parameter.name, hint, msgspec.field(default_factory=partial(deepcopy, default))
    return parameter.name, hint, default


def _is_plain(default: Any) -> bool:
    """Whether a schema can show it."""
    try:
        msgspec.to_builtins(default)
    except (TypeError, ValueError):
        return False
    return True


def _understood(hint: Any) -> Any:
    """The hint with the descriptions and constraints of others in our own words, also within
    lists, unions and the like."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return reduce(operator.or_, map(_understood, typing.get_args(hint)))
    if origin in _GENERIC:
        return origin[tuple(_understood(one) for one in typing.get_args(hint))]
    if origin is not typing.Annotated:
        return hint
    inner, *extras = typing.get_args(hint)
    inner = _understood(inner)
    metas: list[Any] = []
    for extra in extras:
        if isinstance(extra, str):
            metas.append(msgspec.Meta(description=extra))
        elif hasattr(extra, "metadata") and hasattr(extra, "description"):
            metas.append(_meta_of(extra))
        else:
            metas.append(extra)
    for meta in metas:
        inner = typing.Annotated[inner, meta]
    return inner


def _meta_of(pydantic_field: Any) -> msgspec.Meta:
    found: dict[str, Any] = {}
    if pydantic_field.description:
        found["description"] = pydantic_field.description
    for constraint in pydantic_field.metadata:
        for name in _CONSTRAINTS:
            value = getattr(constraint, name, None)
            if value is not None:
                found[name] = value
    return msgspec.Meta(**found)


def _described(hint: Any) -> bool:
    if typing.get_origin(hint) is not typing.Annotated:
        return False
    return any(getattr(extra, "description", None) for extra in typing.get_args(hint)[1:])


def _check_names(given: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> None:
    """Raises `ArgumentsError` for a field that the schema does not name, at any depth. Where there
    are several ways to fit, whatever fitted decides."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        schema = root.get("$defs", {}).get(reference.removeprefix(_REFS), {})
    if isinstance(given, list) and isinstance(schema.get("items"), Mapping):
        for one in given:
            _check_names(one, schema["items"], root)
    if isinstance(given, dict):
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        for name, value in given.items():
            if name in properties:
                _check_names(value, properties[name], root)
            elif rest is False:
                raise ArgumentsError(f"The arguments do not fit: there is no field {name!r}")
            elif isinstance(rest, Mapping):
                _check_names(value, rest, root)


def _schema_of(made: type[msgspec.Struct]) -> dict[str, Any]:
    models: dict[str, Any] = {}
    (root,), definitions = msgspec.json.schema_components(
        (made,),
        schema_hook=lambda custom: _custom_schema(custom, models),
        ref_template=_REFS + "{name}",
    )
    definitions = {**models, **definitions}
    cyclic: set[str] = set()
    schema = _inlined(root, definitions, (), cyclic)
    assert isinstance(schema, dict), "a struct is an object"
    schema.pop("title", None)
    schema.setdefault("properties", {})
    if cyclic:
        schema["$defs"] = {name: definitions[name] for name in definitions if name != made.__name__}
    closed = _closed(schema)
    assert isinstance(closed, dict), "it was one before"
    return closed


def _closed(node: Any) -> Any:
    """The schema, in which every object takes what it names and nothing else, unless it says so."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    shown = {key: _closed(value) for key, value in node.items()}
    if shown.get("type") == "object" and isinstance(shown.get("properties"), dict):
        shown.setdefault("additionalProperties", False)
    return shown


def _inlined(
    node: Any, definitions: Mapping[str, Any], within: tuple[str, ...], cyclic: set[str]
) -> Any:
    """The schema with its definitions in their places: models read that better than references."""
    if isinstance(node, list):
        return [_inlined(one, definitions, within, cyclic) for one in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith(_REFS):
        name = reference.removeprefix(_REFS)
        if name in within:
            cyclic.add(name)
            return node
        rest = {key: value for key, value in node.items() if key != "$ref"}
        inner = _inlined(definitions[name], definitions, (*within, name), cyclic)
        return {**inner, **rest}
    return {key: _inlined(value, definitions, within, cyclic) for key, value in node.items()}


def _custom_schema(custom: type, models: dict[str, Any]) -> dict[str, Any]:
    """That of a pydantic model; what one that holds itself refers to is put into `models`."""
    if hasattr(custom, "model_json_schema"):
        schema: dict[str, Any] = custom.model_json_schema(ref_template=_REFS + "{model}")
        definitions = schema.pop("$defs", {})
        cyclic: set[str] = set()
        inlined = _inlined(schema, definitions, (), cyclic)
        assert isinstance(inlined, dict), "a model is an object"
        if cyclic:
            models.update(definitions)
        return inlined
    raise TypeError(f"{custom.__name__} is no type of JSON")


def _decode(custom: Any, value: Any) -> Any:
    """A pydantic model: of other types there was no schema, and so no tool. Read as JSON, strictly:
    a date may be text there, and a number may not."""
    try:
        return custom.model_validate_json(msgspec.json.encode(value), strict=True)
    except ValueError as error:
        raise ValueError(misfits(error)) from None


def misfits(error: Any) -> str:
    """What a pydantic `ValidationError` says, for the model; without what was given."""
    if not hasattr(error, "errors"):
        return str(error)
    details = error.errors(include_url=False, include_input=False, include_context=False)
    told = [
        f"{'.'.join(str(step) for step in one['loc']) or 'arguments'}: {one['msg']}"
        for one in details
    ]
    return "; ".join(told)
