"""Forms: their parts by name, whatever is around them."""

from __future__ import annotations

import pytest

from bargein.server.multipart import boundary_of, fields

BODY = (
    b'a preamble\r\n--b\r\nContent-Disposition: form-data; name="sdp"\r\n'
    b"Content-Type: application/sdp\r\n\r\nv=0\r\no=-\n\r\n--b\r\n"
    b'content-disposition: form-data; name=session; filename="x"\r\n\r\n{}\r\n--b--\r\nepilogue'
)


def test_the_parts_are_given_as_they_are() -> None:
    assert fields(BODY, "b") == {"sdp": b"v=0\r\no=-\n", "session": b"{}"}


def test_a_body_may_begin_with_the_boundary() -> None:
    assert fields(BODY.partition(b"\r\n")[2], "b") == fields(BODY, "b")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=b", "b"),
        ('Multipart/Form-Data; charset=x; boundary="b c"', "b c"),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/mixed; boundary=b", None),
        ("application/sdp", None),
        ("", None),
    ],
)
def test_a_boundary_is_that_of_a_form(content_type: str, boundary: str | None) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "body",
    [b"", b"--b", b"--b--", b"--b\r\n\r\n", b"--b\r\nno header\r\n\r\nx\r\n--b--", b"\xff" * 99],
)
def test_what_is_no_form_has_no_parts(body: bytes) -> None:
    assert fields(body, "b") == {}


def test_parts_without_number_end() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\nx\r\n'
    assert len(fields(b"".join(part % index for index in range(1_000)), "b")) <= 16
