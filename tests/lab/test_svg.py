"""The small writer of SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bargein.lab import svg


def test_text_and_attributes_are_escaped() -> None:
    made = svg.label(1, 2, '<a> & "b"', data_tip="\"<&>'")
    (element,) = ElementTree.fromstring(f"<g>{made}</g>")
    assert element.text == '<a> & "b"'
    assert element.get("data-tip") == "\"<&>'"


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\ud800", "\uffff"])
def test_what_xml_cannot_hold_is_replaced(bad: str) -> None:
    made = svg.label(0, 0, f"a{bad}b", data_tip=f"c{bad}d")
    (element,) = ElementTree.fromstring(f"<g>{made}</g>".encode())
    assert (element.text, element.get("data-tip")) == ("a\ufffdb", "c\ufffdd")


def test_numbers_are_short() -> None:
    assert svg.rect(1.0, 2.345, 10, 0.001) == '<rect x="1" y="2.35" width="10" height="0"/>'


def test_a_rectangle_has_no_negative_width() -> None:
    assert 'width="0"' in svg.rect(0, 0, -5, 1)


def test_attributes_that_are_none_are_left_out() -> None:
    assert svg.element("g", fill=None, class_="x") == '<g class="x"/>'


def test_a_tip_comes_before_what_it_is_about() -> None:
    assert svg.group(svg.element("path"), tip="a & b") == "<g><title>a &amp; b</title><path/></g>"


def test_a_document_is_well_formed_and_has_its_own_background() -> None:
    made = svg.document(200, 100, svg.label(0, 0, "x"), title="A title", about="An account")
    root = ElementTree.fromstring(made.encode())
    name = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{name}svg"
    assert root.get("viewBox") == "0 0 200 100"
    assert [child.tag.removeprefix(name) for child in root] == ["title", "desc", "rect", "text"]
    assert root[2].get("fill") == "#ffffff"


def test_text_is_shortened_to_its_place() -> None:
    assert svg.fitted("short", 500, 12) == "short"
    fitted = svg.fitted("a rather long sentence", 60, 12)
    assert fitted.endswith("…")
    assert svg.width_of(fitted, 12) <= 60 + 12
    assert svg.fitted("anything", 0, 12) == "…"
