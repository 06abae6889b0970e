"""What is an image that a session takes, and what it costs."""

from __future__ import annotations

import pytest
from tests.server.image_files import jpeg, png, uri
from tests.server.model.model_rig import Rig, error

from bargein.server.model import images
from bargein.server.model.options import Limits, Options

PREFIX = (
    "Expected a base64-encoded data URL with an image MIME type (e.g. "
    "'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got "
)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("https://example.org/cat.png", "a value without the 'data:' prefix"),
        ("", "a value without the 'data:' prefix"),
        (uri("image/gif", b"GIF89a"), "unsupported MIME type 'image/gif'"),
        (uri("text/plain", b"a"), "unsupported MIME type 'text/plain'"),
        ("data:image/png,abc", "a value that is not base64-encoded"),
        ("data:image/png;base64", "a value that is not base64-encoded"),
        ("data:image/png;base64,a*c=", "an invalid base64-encoded value"),
        ("data:image/png;base64,", "empty base64-encoded bytes"),
    ],
)
def test_what_is_no_data_uri_of_an_image_is_told_what_it_is_instead(
    given: str, problem: str
) -> None:
    with pytest.raises(images.BadImageError) as caught:
        images.check(given)
    assert str(caught.value) == problem


def test_the_bytes_decide_and_not_the_name() -> None:
    images.check(png(1, 1))
    images.check(jpeg(1, 1))
    images.check(png(1, 1).replace("image/png", "IMAGE/JPEG"))
    with pytest.raises(ValueError, match="no image") as caught:
        images.check(uri("image/png", b"GIF89a"))
    assert not isinstance(caught.value, images.BadImageError)


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (1, 1, 85 + 170),
        (512, 512, 85 + 170),
        (513, 512, 85 + 2 * 170),
        (1024, 1024, 85 + 4 * 170),  # 768 by 768
        (2048, 4096, 85 + 6 * 170),  # 1024 by 2048, then 768 by 1536
        (4096, 1, 85 + 4 * 170),
    ],
)
def test_an_image_costs_by_its_tiles_and_little_at_low_detail(
    width: int, height: int, tokens: int
) -> None:
    for image in (png(width, height), jpeg(width, height, thumbnail_bytes=30_000)):
        for detail in (None, "auto", "high"):
            assert images.tokens(image, detail) == tokens
        assert images.tokens(image, "low") == 85


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe1\x00\x00", b"\xff\xd8\xff\xda\0\x02\0\0\0"]
)
def test_an_image_whose_size_is_not_to_be_found_costs_one_tile(content: bytes) -> None:
    assert images.tokens(uri("image/png", content), "high") == 85 + 170


def create(rig: Rig, *parts: dict[str, str]) -> list[dict[str, object]]:
    item = {"type": "message", "role": "user", "content": list(parts)}
    return rig.say("conversation.item.create", item=item)


def test_a_refusal_names_the_part_and_tells_the_two_faults_apart() -> None:
    rig = Rig()
    text = {"type": "input_text", "text": "See"}
    body = error(create(rig, text, {"type": "input_image", "image_url": "cat.png"}))
    assert body["param"] == "item.content[1].image_url"
    assert body["message"].endswith(PREFIX + "a value without the 'data:' prefix.")
    fake = {"type": "input_image", "image_url": uri("image/png", b"GIF89a")}
    body = error(create(rig, fake))
    assert body["message"].startswith("Invalid 'item.content[0].image_url'. Expected an image")
    assert rig.machine.memory == ()


def test_images_are_taken_up_to_a_limit_and_a_deleted_one_makes_room() -> None:
    image = png(1, 1)
    rig = Rig(options=Options(limits=Limits(image_bytes=len(image))))
    part = {"type": "input_image", "image_url": image}
    create(rig, part)
    assert error(create(rig, part))["code"] == "conversation_full"
    rig.say("conversation.item.delete", item_id=rig.machine.memory[0].id)
    assert len(create(rig, part)) == 2
