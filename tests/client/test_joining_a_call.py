"""`connect(call_id=…)`: a call whose sound is a plain aiortc peer's, and whose machine is here."""

from __future__ import annotations

import asyncio

import pytest
from tests.server.peer_rig import a_call
from tests.server.serving_rig import a_server, story_that_stalls

import bargein
from bargein.audio.virtual import VirtualPlayer
from bargein.core.notices import InterruptionSettled


async def test_a_call_has_no_sound_here_and_needs_an_id() -> None:
    with pytest.raises(bargein.LocalValueError, match="audio"):
        bargein.connect(api_key="k", call_id="rtc_1", audio=bargein.Audio(VirtualPlayer()))
    with pytest.raises(bargein.LocalValueError, match="call_id"):
        bargein.connect(api_key="k", call_id="")


def test_who_joins_a_call_cannot_keep_it_talking_while_the_user_speaks() -> None:
    """The service clears its buffer at `speech_started`, whatever `interrupt_response` says."""
    turns = bargein.ServerVad(interrupt_response=False)
    with pytest.raises(bargein.LocalProtocolError, match="keep_talking"):
        bargein.connect(api_key="k", call_id="rtc_1", turns=turns, barge_in="keep_talking")


@pytest.mark.real_time
async def test_a_call_that_is_unknown_is_not_joined() -> None:
    async with a_server() as server:
        joining = bargein.connect(url=server.url, api_key=server.api_key, call_id="rtc_u0_none")
        with pytest.raises(bargein.AdmissionError, match="404"):
            async with joining:
                pass


@pytest.mark.real_time
async def test_who_joins_a_call_stops_it_and_is_told_what_the_service_keeps() -> None:
    async with a_call(story_that_stalls()) as peer:
        server = peer.server
        joining = bargein.connect(url=server.url, api_key=server.api_key, call_id=peer.call_id)
        async with joining as session:
            settled = session.notices(InterruptionSettled)
            await session.say("Tell me a story.")
            await peer.until("output_audio_buffer.started")
            await peer.until_loud(20)
            record = await session.interrupt()
            assert record is not None
            async with asyncio.timeout(10):
                told = await anext(aiter(settled))
            assert isinstance(told, InterruptionSettled)
            cleared = await peer.until("output_audio_buffer.cleared")
            truncated = await peer.until("conversation.item.truncated")
    assert told.commands == ("response.cancel", "output_audio_buffer.clear")
    assert told.response_ids == (cleared["response_id"],)
    assert told.kept_ms == told.heard_ms == truncated["audio_end_ms"]
    assert told.kept_ms % 20 == 0 and told.exactness == "within"
