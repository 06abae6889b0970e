"""The mind answers as it was meant, from what was heard."""

from __future__ import annotations

import json

import pytest
from tests.server.engines.local.talking import PARAMS, call, reply, said, spoken, tool, user

from bargein import events
from bargein.server.engines.local.mind import Say, answer

STORY = user("Tell me a story about a fox.")


def first(text: str, count: int) -> str:
    return " ".join(text.split()[:count])


def test_a_story_is_about_whom_it_was_asked_for() -> None:
    assert "there lived a fox." in reply(STORY)
    assert "there lived a clockmaker." in reply(user("Stop. Tell me about the clockmaker"))
    assert "there lived Anna." in reply(user("My name is Anna"), user("a story about me please"))


def test_each_story_is_another_one() -> None:
    one = reply(user("Tell me a story"))
    assert reply(user("Tell me a story"), said(one), user("Tell me another story")) != one


@pytest.mark.parametrize("heard", [0, 1, 5, 33, 100])
def test_after_a_cut_it_goes_on_at_the_word_after_the_last_heard_one(heard: int) -> None:
    whole = reply(STORY)
    before = [said(first(whole, heard))] if heard else []
    rest = reply(STORY, *before, user("Go on."))
    assert (first(whole, heard).split() + rest.split()) == whole.split()


def test_small_talk_in_between_does_not_lose_the_place() -> None:
    whole = reply(STORY)
    items = (STORY, said(first(whole, 20)), user("What time is it?"), said("It is 3 05."))
    assert reply(*items, user("please continue")).split() == whole.split()[20:]


def test_it_goes_on_after_the_second_cut_too() -> None:
    whole = reply(STORY).split()
    items = (STORY, said(" ".join(whole[:20])), user("go on"), said(" ".join(whole[20:31])))
    assert reply(*items, user("go on")).split() == whole[31:]


def test_it_begins_anew_when_asked_to() -> None:
    whole = reply(STORY)
    items = (STORY, said(first(whole, 20)), user("start again"))
    assert reply(*items) == whole
    assert reply(*items, said(first(whole, 8)), user("go on")).split() == whole.split()[8:]


def test_it_knows_which_of_its_words_were_heard() -> None:
    whole = reply(STORY)
    heard = first(whole, 20)
    assert reply(STORY, said(heard), user("Where did you stop?")).endswith(
        " ".join(heard.split()[-8:])
    )
    assert reply(STORY, said(heard), user("What did you say?")).endswith(heard)
    assert "not heard a word" in reply(STORY, user("where did you stop"))
    assert "not said anything" in reply(user("what did you say"))


def test_a_story_brought_from_another_session_is_known_by_its_words() -> None:
    whole = reply(STORY)
    items = (said(first(whole, 25)), user("go on"))
    assert reply(*items).split() == whole.split()[25:]


def test_what_the_ears_heard_is_an_answer_like_what_was_typed() -> None:
    assert reply(spoken("item_1"), hearing={"item_1": "tell me a story about a fox"}) == reply(
        STORY
    )


def test_it_says_when_it_did_not_understand() -> None:
    assert "not understand a word" in reply(spoken("item_1"), hearing={"item_1": ""})
    for text in ("multiply seven by nine", "the quarterly report is late", "why"):
        assert (
            "not understand" in reply(user(text))
            or "not get" in reply(user(text))
            or ("too hard" in reply(user(text)))
        )


def test_it_remembers_what_it_was_told() -> None:
    told = (
        user("Hello, my name is Anna"),
        said("Nice to meet you, Anna."),
        user("My favorite color is blue."),
        user("I live in new york"),
        user("i like cheese"),
        user("I have a dog"),
    )
    assert reply(*told, user("what is my name")) == "Your name is Anna."
    assert reply(*told, user("what is my favorite color")) == (
        "You told me: your favorite color is blue."
    )
    assert "live in New York" in reply(*told, user("where do i live"))
    assert "not told me your favorite animal" in reply(*told, user("what is my favorite animal"))
    everything = reply(*told, user("what do you know about me"))
    assert all(word in everything for word in ("Anna", "blue", "New York", "cheese", "a dog"))
    assert "not told me" in reply(user("what is my name"))


def test_yes_to_the_offer_of_a_story_is_a_story() -> None:
    offer = reply(user("hello"))
    assert reply(user("hello"), said(offer), user("yes please")).startswith("Once upon a time")
    assert not reply(user("yes please")).startswith("Once")


WEATHER = tool("get_weather", ("city",), city={"type": "string"})


def test_the_weather_is_asked_of_the_sessions_function() -> None:
    made = call(user("What is the weather in new york?"), tools=(WEATHER,))
    assert (made.name, json.loads(made.arguments)) == ("get_weather", {"city": "New York"})
    home = call(user("I live in rome"), user("will it rain tomorrow"), tools=(WEATHER,))
    assert json.loads(home.arguments) == {"city": "Rome"}


def test_where_only_the_city_is_missing_it_asks_for_it() -> None:
    params = events.ResponseParams(tools=(WEATHER,))
    asked = reply(user("What is the weather?"), params=params)
    assert asked == "For which city?"
    made = call(user("What is the weather?"), said(asked), user("Paris"), tools=(WEATHER,))
    assert json.loads(made.arguments) == {"city": "Paris"}


def test_what_a_function_gave_back_is_told() -> None:
    items = (
        user("What is the weather in Paris?"),
        events.FunctionCallItem(call_id="c1", name="get_weather", arguments="{}"),
        events.FunctionCallOutputItem(call_id="c1", output='{"sky": "rain", "degrees": 12}'),
    )
    params = events.ResponseParams(tools=(WEATHER,))
    assert reply(*items, params=params) == "sky: rain, degrees: 12."
    assert reply(*items[:2], events.FunctionCallOutputItem(call_id="c1", output="Rain!")) == "Rain!"
    after = (*items, said("sky: rain"), user("thank you"))
    assert reply(*after, params=params) == "You are welcome."


def test_what_a_function_gave_back_while_the_user_spoke_is_told_with_the_answer() -> None:
    items = (
        user("What is the weather in Paris?"),
        events.FunctionCallItem(call_id="c1", name="get_weather", arguments="{}"),
        user("Tell me a story."),
        said("Once upon a time"),
        events.FunctionCallOutputItem(call_id="c1", output="Rain."),
        said(""),
        user("Stop please."),
    )
    params = events.ResponseParams(tools=(WEATHER,))
    assert reply(*items, params=params) == "Rain. All right."
    assert reply(*items, said("Rain. All right."), user("thank you")) == "You are welcome."


def test_without_a_function_it_says_what_it_cannot_know() -> None:
    assert "cannot see the sky" in reply(user("what is the weather in paris"))
    assert reply(user("what time is it")) == "It is 3 05 in the afternoon."
    assert reply(user("what day is it")) == "Today is Saturday, the 21 of November."
    assert "no clock" in reply(user("what time is it"), clock=None)
    assert "no clock" in reply(user("what time is it in tokyo"))


def test_tool_choice_is_obeyed() -> None:
    weather = user("What is the weather in Paris?")
    params = events.ResponseParams(tools=(WEATHER,), tool_choice="none")
    assert "cannot see the sky" in reply(weather, params=params)
    lamp = tool("lamp", ("level", "on"), level={"type": "integer"}, on={"type": "boolean"})
    must = call(user("hello"), tools=(lamp, WEATHER), tool_choice="required")
    assert (must.name, json.loads(must.arguments)) == ("lamp", {"level": 0, "on": False})
    named = events.ToolChoiceFunction(name="get_weather")
    assert call(user("hello"), tools=(lamp, WEATHER), tool_choice=named).name == "get_weather"


def test_instructions_give_a_name_words_or_a_request() -> None:
    def told(instructions: str, *items: events.Item) -> str:
        return reply(*items, params=events.ResponseParams(instructions=instructions))

    assert told("You are Ada, a calm voice.", user("who are you")) == "I am Ada. I tell stories."
    assert told("You tell stories.", user("who are you")).startswith("I am the storyteller")
    assert told("Say exactly: 'Good evening.'") == "Good evening."
    assert "there lived a frog" in told("Tell a story about a frog.")
    assert "there lived a fox" in told("Tell a story about a frog.", STORY)
    assert told("You tell stories.").startswith("Hello! I am the storyteller.")
    assert len(told("Keep your answers short.", user("what can you do"))) < 50


def test_the_same_conversation_has_the_same_answer_and_the_seed_another() -> None:
    ask = (user("tell me a story"),)
    assert reply(*ask) == reply(*ask)
    assert reply(*ask, seed=1) != reply(*ask)


def test_an_endless_story_is_made_only_as_far_as_it_is_told() -> None:
    made = answer((user("tell me a story for 200 minutes"),), PARAMS)
    assert isinstance(made, Say)
    assert next(iter(made.sentences)).startswith("Once upon a time")
