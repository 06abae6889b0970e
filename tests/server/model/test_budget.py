"""No response costs more than its `max_output_tokens`, whatever the engine makes of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.server.model.model_rig import Rig, sound, types

from bargein.server.model import score

TEXT = (score.OpenMessage(), score.OpenPart("text"))
VOICE = (score.OpenMessage(), score.OpenPart("audio"))
CALL = (score.OpenCall("f"),)


def made(limit: int | str, *actions: score.Action, **response: Any) -> dict[str, Any]:
    """The response as it is done."""
    rig = Rig()
    response_id = rig.respond(max_output_tokens=limit, **response)
    sent = rig.produce(response_id, *actions)
    assert types(sent)[-1] == "response.done"
    done: dict[str, Any] = sent[-1]["response"]
    done["sound"] = b"".join(
        base64.b64decode(event["delta"])
        for event in sent
        if event["type"] == "response.output_audio.delta"
    )
    return done


def cost(done: dict[str, Any]) -> int:
    tokens: int = done["usage"]["output_tokens"]
    return tokens


@pytest.mark.parametrize(
    "actions",
    [
        (*TEXT, score.SayText("a" * 18), score.SayText("b" * 22)),
        (*TEXT, *(score.SayText("a"),) * 40),
        (*CALL, score.Arguments("a" * 40)),
        (*VOICE, sound(500)),
        (*VOICE, sound(499), sound(1)),
        (*VOICE, score.SayText("a" * 8), sound(400)),
        (*TEXT, score.SayText("a"), *TEXT, score.SayText("b" * 36)),
    ],
)
def test_what_costs_exactly_the_limit_is_whole_and_a_token_less_is_too_little(
    actions: tuple[score.Action, ...],
) -> None:
    whole = made(10, *actions)
    assert whole["status"] == "completed" and cost(whole) == 10
    cut = made(9, *actions)
    assert cut["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert cost(cut) == 9
    assert cut["output"][-1]["status"] == "incomplete"


def test_the_cut_is_at_the_character_and_at_the_sample() -> None:
    done = made(3, *TEXT, score.SayText("Hello "), score.SayText("my friends"))
    assert done["output"][0]["content"] == [{"type": "output_text", "text": "Hello my fri"}]
    done = made(3, *CALL, score.Arguments('{"city": "Lisbon"}'))
    assert done["output"][0]["arguments"] == '{"city": "Li'
    done = made(3, *VOICE, sound(40), sound(1_000), sound(1_000))
    assert len(done["sound"]) == 2 * 3 * 1_200
    output = {"output": {"format": {"type": "audio/pcmu"}}}
    done = made(3, *VOICE, sound(1_000), audio=output)
    assert len(done["sound"]) == 3 * 400


def test_a_delta_of_which_nothing_fits_is_not_sent() -> None:
    done = made(2, *VOICE, score.SayText("a" * 8), sound(1_000))
    assert done["sound"] == b"" and cost(done) == 2


def test_without_a_limit_nothing_is_cut() -> None:
    done = made("inf", *TEXT, score.SayText("a" * 40_000))
    assert done["status"] == "completed" and cost(done) == 10_000


def test_what_has_no_place_is_still_the_engines_fault() -> None:
    for action in (score.SayText("a"), sound(1), score.Arguments("a")):
        assert made(1, action)["status"] == "failed"
