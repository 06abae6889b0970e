"""What the local mind remembers, read afresh from the conversation for every reply. Pure.

1. The conversation is all there is: who the user is, what was told, and how far each story was
   heard. Of a reply that was cut, the conversation has the words that were heard and no others,
   so what the mind believes to have said is what the user has heard.
2. A story is known again by its words alone, also where the conversation was brought from
   elsewhere; a text that no story has is small talk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bargein import events
from bargein.server.engines.local import lexicon
from bargein.server.engines.local.meaning import EPISODES, Meaning, normalized, read
from bargein.server.engines.local.stories import Story

DEFAULT_EPISODES = EPISODES[""]
WHICH_CITY = "For which city?"
OFFER = "Shall I tell you a story?"


@dataclass(slots=True)
class Memory:
    """What is remembered. `story` is the last one asked for; `heard_words` of it were heard."""

    name: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    """By what they are about: "color", "home"."""
    liked: list[str] = field(default_factory=list)
    owned: list[str] = field(default_factory=list)
    story: Story | None = None
    heard_words: int = 0
    stories_asked: int = 0
    last_said: str = ""
    """The last words of the assistant's that were heard."""
    last_asked: str = ""
    """The user's last words."""
    asked: Meaning | None = None
    """What is to be answered: the user's last turn, or None where nothing came since the last
    reply."""
    has_met: bool = False
    """Whether the assistant has said anything yet."""
    returned: tuple[tuple[str, str], ...] = ()
    """Results of functions that were not spoken of yet: the function's name and its output."""


def remember(items: Iterable[events.Item], hearing: Mapping[str, str], *, seed: int = 0) -> Memory:
    """Read the conversation. `hearing` has the words of the user's audio, by the item's id."""
    memory = Memory()
    functions: dict[str, str] = {}
    for item in items:
        match item:
            case events.MessageItem(role="user"):
                _listen(memory, said_in(item, hearing), seed)
            case events.MessageItem(role="assistant"):
                _recall(memory, said_in(item, hearing), seed)
            case events.FunctionCallItem(call_id=str(call_id)):
                functions[call_id] = item.name
                memory.asked = None
            case events.FunctionCallOutputItem():
                returned = (functions.get(item.call_id, ""), item.output)
                memory.returned = (*memory.returned, returned)
            case _:
                continue
    return memory


def said_in(item: events.MessageItem, hearing: Mapping[str, str]) -> str:
    """The words of a message: its texts and transcripts, or what the ears heard of it."""
    texts = [hearing.get(item.id, "")] if isinstance(item.id, str) else []
    for part in item.content:
        match part:
            case events.InputText(text=text) | events.OutputText(text=text):
                texts.append(text)
            case events.OutputAudio(transcript=str(text)):
                texts.append(text)
            case events.InputAudio(transcript=str(text)) if item.id not in hearing:
                texts.append(text)
            case _:
                continue
    return " ".join(text for text in texts if text)


def story_asked(meaning: Meaning, memory: Memory, seed: int) -> Story:
    """The story that an ask is for, when `memory.stories_asked` were asked for before it."""
    number = seed + memory.stories_asked
    hero = meaning.topic or lexicon.HEROES[number * 5 % len(lexicon.HEROES)]
    if hero == "me":
        hero = memory.name or "you"
    if hero in lexicon.NAMES or hero == memory.name.lower():
        hero = hero.capitalize()
    episodes = DEFAULT_EPISODES if meaning.episodes is None else meaning.episodes
    return Story(number, hero, episodes)


def _listen(memory: Memory, text: str, seed: int) -> None:
    """The user said something."""
    meaning = _in_place(read(text), memory.last_said)
    memory.asked, memory.last_asked = meaning, text
    match meaning.kind:
        case "name_is":
            memory.name = meaning.topic.capitalize()
        case "favorite_is" if meaning.about == "liked":
            memory.liked.append(meaning.topic)
        case "favorite_is" if meaning.about == "owned":
            memory.owned.append(meaning.topic)
        case "favorite_is":
            memory.facts[meaning.about] = meaning.topic
        case "story":
            memory.story = story_asked(meaning, memory, seed)
            memory.heard_words = 0
            memory.stories_asked += 1
        case "again":
            memory.heard_words = 0
        case _:
            pass


def _in_place(meaning: Meaning, last_said: str) -> Meaning:
    """What a short answer means after what was asked."""
    if meaning.kind == "city" and last_said.endswith(WHICH_CITY):
        return Meaning("weather", meaning.topic)
    if meaning.kind == "yes" and last_said.endswith(OFFER):
        return Meaning("story")
    return meaning


def _recall(memory: Memory, text: str, seed: int) -> None:
    """The assistant said something, and this much of it was heard."""
    memory.asked = None
    if not text:
        return
    memory.returned = ()
    memory.has_met, memory.last_said = True, text
    words = tuple(text.split())
    if memory.story is not None and memory.story.agrees(memory.heard_words, words):
        memory.heard_words += len(words)
    elif (story := _known_again(words, memory, seed)) is not None:
        memory.story, memory.heard_words = story, len(words)


def _known_again(words: tuple[str, ...], memory: Memory, seed: int) -> Story | None:
    """The story that begins with these words, where nothing in the conversation asked for it."""
    if len(words) < _TELLING_WORDS or normalized(" ".join(words[:4])) != "once upon a time":
        return None
    place = words.index("lived") if "lived" in words else len(words)
    hero = " ".join(words[place + 1 : place + 4]).partition(".")[0]
    hero = hero.removeprefix("an ").removeprefix("a ")
    for number in range(seed, seed + _NUMBERS_TRIED):
        for episodes in _EPISODES_TRIED:
            story = Story(number, hero, episodes)
            if story.agrees(0, words):
                return story
    return None


_TELLING_WORDS = 10
_NUMBERS_TRIED = 60
_EPISODES_TRIED = (DEFAULT_EPISODES, *sorted({*EPISODES.values()} - {DEFAULT_EPISODES}))
"""The usual length first: from the beginning of a story nobody can tell how long it is."""
