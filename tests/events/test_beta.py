"""The old names, each of which leads to a name that is in the vocabulary today."""

from __future__ import annotations

from bargein import events
from bargein.events import beta
from bargein.events.codec import members

TYPES = {str(kind.__struct_config__.tag) for kind in members(events.ServerEvent)}


def test_every_old_name_leads_to_an_event_of_today_and_back() -> None:
    assert set(beta.GA_NAMES.values()) <= TYPES
    back = {beta.BETA_NAMES[new]: new for new in beta.BETA_NAMES}
    assert {**back, **beta.EARLY_NAMES} == beta.GA_NAMES


def test_a_beta_server_says_nothing_by_the_names_of_its_first_weeks() -> None:
    assert not set(beta.BETA_NAMES.values()) & beta.EARLY_NAMES.keys()
    assert beta.GA_NAMES["output_audio_buffer.audio_stopped"] == "output_audio_buffer.stopped"


def test_no_old_name_is_one_of_today() -> None:
    assert not beta.GA_NAMES.keys() & TYPES


def test_the_sound_of_a_reply_is_called_output_audio_now() -> None:
    assert beta.GA_NAMES["response.audio.delta"] == "response.output_audio.delta"
    assert beta.GA_CONTENT["audio"] == "output_audio"
