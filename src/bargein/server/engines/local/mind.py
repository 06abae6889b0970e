"""The local engine's mind: what to answer, by rules. Pure: the same conversation, the same reply.

1. It answers from the conversation alone (`memory`), so after a cut it knows which of its words
   were heard. A story goes on at the word after the last heard one, with nothing before it.
2. Where one of the session's functions fits the wish, it is called (`functions`), as far as
   `tool_choice` lets it; what it gives back is told. Without one the mind says what it cannot know.
3. What it does not understand, it says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bargein import events
from bargein.server.engines.local import functions
from bargein.server.engines.local.functions import Call, Wish
from bargein.server.engines.local.manners import Manners, manners_of
from bargein.server.engines.local.meaning import Meaning
from bargein.server.engines.local.memory import (
    OFFER,
    WHICH_CITY,
    Memory,
    remember,
    story_asked,
)


@dataclass(frozen=True, slots=True)
class Clock:
    """What a clock on the wall shows: the hour of the day (0 to 23), and the date in words."""

    hour: int
    minute: int
    date: str


@dataclass(frozen=True, slots=True)
class Say:
    """Sentences to say, made as they are asked for: a story may be long."""

    sentences: Iterable[str]


Answer: TypeAlias = Say | Call

UNKNOWN = (
    "I did not understand that.",
    "I am sorry, I did not get that. I know stories, and a little about the weather.",
    "That was too hard for me. You can ask me for a story, or tell me your name.",
)
_SILENCE = "I heard you, but I did not understand a word."
JOKES = (
    "Why did the fox sit on the clock? It wanted to be on time.",
    "What does an owl say after a joke? Who else was laughing?",
    "How do you know that a dragon had lunch at the bakery? All bread is toast.",
)
_CAN = (
    "I tell stories, short ones and long ones.",
    "You can interrupt me at any time, and say go on when you want to hear more.",
    "I can ask for the weather and the time, and I remember what you tell me.",
)


def answer(
    items: Sequence[events.Item],
    params: events.ResponseParams,
    *,
    hearing: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    seed: int = 0,
) -> Answer:
    """The reply to a conversation.

    `hearing` has the words of the user's audio by the item's id, as the ears heard them. Without
    a `clock` the mind does not know the time. `seed` chooses the first story.
    """
    heard = hearing or {}
    memory = remember(items, heard, seed=seed)
    manners = manners_of(params.instructions)
    meaning = memory.asked or (None if memory.returned else manners.request)
    tools = functions.declared(params)
    wish = Wish(meaning or Meaning("silence"), memory.last_asked, _city(meaning, memory))
    call: Call | None = None
    match params.tool_choice:
        case "none":
            pass
        case events.ToolChoiceFunction(name=name):
            call = functions.forced([tool for tool in tools if tool.name == name], wish)
        case "required":
            call = functions.forced(tools, wish)
        case _ if memory.asked is not None:
            call = functions.fitting(tools, wish)
        case _:
            pass
    if call is not None:
        return call
    wants_city = bool(tools) and params.tool_choice != "none" and _fits_with_city(tools, wish)
    return Say(_said(meaning, memory, manners, clock, seed, wants_city=wants_city))


def _city(meaning: Meaning | None, memory: Memory) -> str:
    """The city that a wish is about: the one that was named, else where the user lives."""
    if meaning is not None and meaning.kind in ("weather", "time") and meaning.topic:
        return meaning.topic
    return memory.facts.get("home", "")


def _fits_with_city(tools: Sequence[events.FunctionTool], wish: Wish) -> bool:
    """Whether a function would fit if only the user had named a city."""
    if wish.city or wish.meaning.kind not in ("weather", "time"):
        return False
    return functions.fitting(tools, Wish(wish.meaning, wish.text, "paris")) is not None


def _said(
    meaning: Meaning | None,
    memory: Memory,
    manners: Manners,
    clock: Clock | None,
    seed: int,
    *,
    wants_city: bool,
) -> Iterator[str]:
    """The sentences of the reply, one after the other."""
    if manners.say:
        yield manners.say
        return
    for name, output in memory.returned:
        yield _told(name, output)
    if meaning is None:
        if not memory.returned:
            yield from _unasked(memory, manners)
        return
    told = _of_a_story(meaning, memory, seed) or _of_the_user(meaning, memory)
    sentences = told or _of_the_world(meaning, memory, manners, clock, wants_city)
    for number, sentence in enumerate(sentences):
        if manners.brief and number and meaning.kind == "can":
            return
        yield sentence


def _unasked(memory: Memory, manners: Manners) -> Iterator[str]:
    """Nobody has said anything since the last reply."""
    if not memory.has_met:
        yield f"Hello! I am {manners.own_name}. {OFFER}"
    elif memory.story is not None and memory.heard_words:
        yield from memory.story.from_word(memory.heard_words)
    else:
        yield "I am listening."


def _of_a_story(meaning: Meaning, memory: Memory, seed: int) -> Iterator[str] | None:
    """About telling: the story itself, or where it stands. None for another meaning."""
    story = memory.story
    match meaning.kind:
        case "story":
            # An instruction may ask for a story where no user did.
            return (
                story if memory.asked and story else story_asked(meaning, memory, seed)
            ).from_word(0)
        case "go_on" | "again" if story is None:
            return iter((f"I have not begun a story yet. {OFFER}",))
        case "go_on" | "again":
            assert story is not None, "the case before has seen to it"
            return story.from_word(memory.heard_words)
        case "where" if story is not None and not memory.heard_words:
            return iter((f"You have not heard a word yet of the story of {story.title}.",))
        case "where" | "repeat" if not memory.last_said:
            return iter(("I have not said anything yet.",))
        case "where":
            return iter((f"My last words were: {_last_words(memory)}",))
        case "repeat":
            return iter((f"I said: {_last_sentences(memory.last_said)}",))
        case _:
            return None


def _of_the_user(meaning: Meaning, memory: Memory) -> Iterator[str] | None:
    """About who the user is and likes. None for another meaning."""
    match meaning.kind:
        case "name_is":
            return iter((f"Nice to meet you, {memory.name}. {OFFER}",))
        case "my_name":
            known = f"Your name is {memory.name}."
            return iter((known if memory.name else "You have not told me your name.",))
        case "favorite_is":
            return iter((f"I will remember that{_called(memory)}: {_fact(meaning)}.",))
        case "favorite":
            return _remembered(meaning, memory)
        case _:
            return None


def _remembered(meaning: Meaning, memory: Memory) -> Iterator[str]:
    about = meaning.about
    if about:
        fact = memory.facts.get(about)
        what = "where you live" if about == "home" else f"your favorite {about}"
        known = None if fact is None else _fact(Meaning("favorite_is", fact, about))
        yield f"You have not told me {what}." if known is None else f"You told me: {known}."
        return
    facts = [f"your name is {memory.name}"] if memory.name else []
    facts += [_fact(Meaning("favorite_is", fact, what)) for what, fact in memory.facts.items()]
    facts += [_fact(Meaning("favorite_is", each, "liked")) for each in memory.liked]
    facts += [_fact(Meaning("favorite_is", each, "owned")) for each in memory.owned]
    if not facts:
        yield "You have not told me anything about you yet."
        return
    yield f"You told me that {' and '.join(facts)}."


def _fact(meaning: Meaning) -> str:
    topic = meaning.topic
    match meaning.about:
        case "home":
            return f"you live in {_proper(topic)}"
        case "owned":
            return f"you have {'an' if topic[:1] in 'aeiou' else 'a'} {topic}"
        case "liked":
            return f"you like {topic}"
        case about:
            return f"your favorite {about} is {_proper(topic) if about == 'city' else topic}"


def _of_the_world(
    meaning: Meaning, memory: Memory, manners: Manners, clock: Clock | None, wants_city: bool
) -> Iterable[str]:
    """All else: the weather and the time where no function knows them, and small talk."""
    match meaning.kind:
        case "weather" | "time" if wants_city:
            return (WHICH_CITY,)
        case "weather":
            return ("I cannot see the sky from here, and nobody gave me a weather report.",)
        case "time" if clock is not None and not meaning.topic:
            return (f"It is {_time(clock)}.",)
        case "date" if clock is not None:
            return (f"Today is {clock.date}.",)
        case "time" | "date":
            return ("I have no clock for that.",)
        case "hello":
            return (f"Hello{_called(memory)}! {OFFER}",)
        case "how_are_you":
            return (f"I am fine, thank you{_called(memory)}. {OFFER}",)
        case "who":
            return (f"I am {manners.own_name}. I tell stories.",)
        case "can":
            return _CAN
        case "thanks":
            return (f"You are welcome{_called(memory)}.",)
        case "bye":
            return (f"Good bye{_called(memory)}!",)
        case "joke":
            return (JOKES[len(memory.last_said) % len(JOKES)],)
        case "stop":
            return ("All right.",)
        case "yes" | "no":
            return ("All right. Tell me when you want to hear a story.",)
        case "city":
            return (f"{_proper(meaning.topic)} is a good place for a story. {OFFER}",)
        case "silence":
            return (_SILENCE,)
        case _:
            return (UNKNOWN[len(memory.last_asked) % len(UNKNOWN)],)


def _last_words(memory: Memory) -> str:
    words = memory.last_said.split()
    return " ".join(words[-8:])


def _last_sentences(text: str) -> str:
    """The end of what was said: at most the last two sentences, the last perhaps cut."""
    sentences = text.replace("! ", "!\n").replace("? ", "?\n").replace(". ", ".\n").split("\n")
    return " ".join(sentences[-2:])


def _called(memory: Memory) -> str:
    return f", {memory.name}" if memory.name else ""


def _proper(city: str) -> str:
    return " ".join(word.capitalize() for word in city.split())


def _time(clock: Clock) -> str:
    """A time as it is said: "ten past three"; to the minute."""
    hour, minute = clock.hour % 12 or 12, clock.minute
    half = "in the morning" if clock.hour < 12 else "in the afternoon"
    if minute == 0:
        return f"{hour} o'clock {half}"
    return f"{hour} {minute:02d} {half}"


def _told(name: str, output: str) -> str:
    """What a function gave back, as a sentence."""
    try:
        value = json.loads(output)
    except ValueError:
        value = output
    said = _spoken(value).strip()
    if not said:
        return f"The function {name} gave nothing back."
    return said if said[-1] in ".!?" else f"{said}."


def _spoken(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{_plain(str(key))}: {_spoken(each)}" for key, each in value.items())
        case list():
            return ", ".join(map(_spoken, value))
        case bool():
            return "yes" if value else "no"
        case None:
            return "nothing"
        case _:
            return str(value)


def _plain(key: str) -> str:
    return key.replace("_", " ").replace("-", " ")
