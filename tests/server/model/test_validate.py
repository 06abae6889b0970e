"""The first fault of a shape, and its path."""

from __future__ import annotations

from typing import Any

import pytest

from bargein.server.model import validate as v
from bargein.server.model.refusal import Refusal, RefusedError


def fault(value: Any, schema: v.Schema) -> Refusal:
    with pytest.raises(RefusedError) as caught:
        v.check(value, schema, "field")
    return caught.value.refusal


def test_what_is_missing_comes_before_what_is_unknown_and_that_before_what_is_wrong() -> None:
    schema = v.Record({"a": v.Text(), "b": v.Whole()}, ("a",))
    assert fault({"c": 1, "b": "x"}, schema).param == "field.a"
    assert fault({"a": "x", "c": 1, "b": "x"}, schema).param == "field.c"
    assert fault({"a": "x", "b": "x"}, schema).rule == "wrong_type"


@pytest.mark.parametrize(
    ("value", "got"),
    [(None, "null"), (True, "a boolean"), (1.5, "a decimal"), ([], "an array"), ({}, "an object")],
)
def test_a_wrong_type_is_named_with_its_article(value: Any, got: str) -> None:
    expected = f"Invalid type for 'field': expected an integer, but got {got} instead."
    assert fault(value, v.Whole()).message == expected


def test_true_is_no_number_and_a_whole_number_is_a_decimal() -> None:
    assert fault(True, v.Decimal()).rule == "wrong_type"
    v.check(1, v.Decimal(0, 1), "field")
    v.check(1, v.Either({"a decimal": v.Decimal()}), "field")


def test_limits_are_included() -> None:
    for limit in (1, 4096):
        v.check(limit, v.Whole(1, 4096), "field")
    assert fault(0, v.Whole(1, 4096)).code == "integer_below_min_value"
    assert fault(4097, v.Whole(1, 4096)).code == "integer_above_max_value"
    v.check("x" * 32, v.Text(32), "field")
    assert fault("x" * 33, v.Text(32)).code == "string_above_max_length"


def test_a_choice_of_types_names_them_all_but_null() -> None:
    schema = v.Either({"an integer": v.Whole(), "a string": v.Text(), "null": v.Null()})
    v.check(None, schema, "field")
    assert "expected an integer or a string, but got an object" in fault({}, schema).message


def test_a_path_counts_the_elements_of_an_array() -> None:
    schema = v.Array(v.Record({"a": v.Array(v.Flag())}))
    assert fault([{}, {"a": [True, 0]}], schema).param == "field[1].a[1]"


def test_an_error_does_not_grow_with_what_it_refuses() -> None:
    long = "x" * 10_000
    for value, schema in (
        (long, v.Text(choices=("a", "b"))),
        ([long], v.Modalities()),
        (10**5_000, v.Whole(0, 9)),
    ):
        assert len(fault(value, schema).message) < 500


def test_audio_must_be_base64_of_something() -> None:
    v.check("AAAA", v.Audio(), "field")
    assert [fault(bad, v.Audio()).rule for bad in ("", "A", "AA=A", "ÄÄÄÄ", "AAAA\n")] == [
        "no_audio", "not_audio", "not_audio", "not_audio", "not_audio",
    ]  # fmt: skip


def test_pairs_are_limited_in_number_and_length() -> None:
    schema = v.Pairs(1, 2, 3)
    v.check({"ab": "abc"}, schema, "field")
    assert fault({"abc": ""}, schema).code == "string_above_max_length"
    assert fault({"a": "abcd"}, schema).param == "field.a"
    assert fault({"a": 1}, schema).param == "field.a"
    assert fault({"a": "", "b": ""}, schema).rule == "object_too_big"
