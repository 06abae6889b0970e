"""What a user means by words: a kind, and what is named in it. Pure.

1. The first kind whose pattern is found counts; the order of `_PATTERNS` is the rule.
2. Words before a request do not hide it: "stop, please, tell me about the mouse" asks for a story.
3. Of a text the first 2 000 characters are read: nobody says more at once, and a pattern may look
   back once for every word.
4. What matches nothing is "unknown"; no words at all are "silence".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bargein.server.engines.local import lexicon

_SPELLED = {
    "favourite": "favorite",
    "colour": "color",
    "harbour": "harbor",
    "what's": "what is",
    "who's": "who is",
    "where's": "where is",
    "how's": "how is",
    "that's": "that is",
    "it's": "it is",
    "i'm": "i am",
    "i've": "i have",
    "didn't": "did not",
    "don't": "do not",
    "okay": "ok",
    "grey": "gray",
    "goodbye": "good bye",
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What was meant. Which of the fields can be set depends on `kind`.

    `topic`: whom a story is to be about ("me" for the user), the city of a weather, the name that
    a user has, what is liked. `about`: of which fact ("color", "home", "liked"). `episodes`: how
    long a story is to be, None where nothing is said. `day`: "tomorrow", or "" for today.
    """

    kind: str
    topic: str = ""
    about: str = ""
    episodes: int | None = None
    day: str = ""


def normalized(text: str) -> str:
    """Lower case, letters, digits and apostrophes only, one spelling of each word."""
    words = re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower().replace("’", "'"))
    return " ".join(_SPELLED.get(word, word) for word in words)


_CITY = "|".join(map(re.escape, lexicon.CITIES))
_NAME = "|".join(lexicon.NAMES)
_A = r"(?:(?:a|an|the|my) )?"
_END = r"(?= (?:please|today|tomorrow|tonight|now|right now|this morning)\b|$)"

_SKY = "rain|snow|sun|cold|warm|hot|wind"

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("my_name", r"\bwhat is my name\b|\b(?:know|remember) my name\b|\bwho am i\b"),
    ("favorite", r"\b(?:what is|know|remember) my favorite (?P<about>\w+)"),
    ("favorite", r"\bwhere do i (?P<home>live)\b"),
    ("favorite", r"\bwhat do i (?:like|love)\b|\babout me$(?<!story about me)"),
    ("favorite", r"\bwhat did i (?:say|tell)\b"),
    ("name_is", r"\bmy name is (?P<topic>[a-z]+)|\bcall me (?P<topic2>[a-z]+)"),
    ("name_is", rf"\bi am (?P<topic>{_NAME})\b"),
    ("favorite_is", rf"\bmy favorite (?P<about>\w+) is {_A}(?P<topic>.+?){_END}"),
    ("favorite_is", rf"\b(?:i live in|i am from) (?P<home>.+?){_END}"),
    ("favorite_is", rf"\bi have (?:got )?an? (?P<owned>.+?){_END}"),
    ("favorite_is", rf"\bi (?:like|love) (?!it|that|this|you|the story)(?P<liked>.+?){_END}"),
    ("again", r"\b(?:start|begin)\b.*\b(?:again|over|anew|beginning)\b"),
    ("again", r"\bfrom the (?:beginning|start)\b|\btell (?:it|the story|that story|that) again\b"),
    ("where", r"\bwhere (?:did you (?:stop|end|leave)|were (?:you|we))\b|\bhow far\b"),
    ("where", r"\blast (?:thing you said|words)\b|\bsay last\b"),
    ("repeat", r"\b(?:say|repeat) (?:that|it)\b|\bwhat did you (?:just )?say\b|\bwhat was that$"),
    ("repeat", r"\b(?:did not|could not) (?:hear|understand|get)\b|^(?:pardon|repeat|say again)\b"),
    ("joke", r"\bjokes?\b|\bmake me laugh\b"),
    ("stop", r"\bstop (?:it|talking|the story|that)\b|\bthat is enough\b|\bbe quiet\b"),
    (
        "go_on",
        r"\b(?:go on|continue|carry on|keep going|tell me more)\b|^(?:more|and then)\b",
    ),
    (
        "go_on",
        r"\bwhat happen(?:ed|s) (?:next|then)\b|\b(?:then what|what then)\b|\bhow does .*\bend\b",
    ),
    ("who", r"\babout yourself\b|\bwho are you\b|\bwhat is your name\b"),
    ("story", rf"\b(?:story|stories|tale)\b(?:.*\babout {_A}(?P<topic>.+?){_END})?"),
    ("story", rf"\b(?:tell|read) me (?:something )?about (?:a|an|the) (?P<topic>.+?){_END}"),
    ("weather", rf"\b(?:weather|forecast|umbrella|temperature)\b(?:.* in (?P<topic>.+?){_END})?"),
    (
        "weather",
        rf"\b(?:is|will) it (?:be )?(?:going to )?(?:{_SKY})\w*(?:.* in (?P<topic>.+?){_END})?",
    ),
    ("date", r"\bwhat day\b|\bthe date\b|\btoday's date\b"),
    ("time", rf"\b(?:what time|the time)\b(?:.* in (?P<topic>.+?){_END})?"),
    ("how_are_you", r"\bhow (?:are you|do you do)\b"),
    ("can", r"\bwhat (?:can|could) you do\b|\bhelp\b|\bwhat do you know$"),
    ("thanks", r"\bthanks?\b(?<!no thank)(?<!no thanks)|\bthat was (?:nice|good|great)\b"),
    ("bye", r"\b(?:good )?bye\b|\bgood night\b|\bsee you\b"),
    ("hello", r"^(?:hello|hi|hey)\b|\bgood (?:morning|evening|afternoon|day)\b"),
    ("no", r"^no\b|\bnot now\b"),
    ("stop", r"^(?:please )?(?:stop|wait|hold on|quiet|silence|enough)\b"),
    ("yes", r"^(?:yes|sure|ok|of course|please do|gladly)\b"),
    ("city", rf"^(?:in )?(?P<topic>{_CITY})$"),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)

_READ_CHARACTERS = 2_000

EPISODES = {"very short": 0, "short": 1, "": 3, "long": 8, "very long": 20}
"""How many adventures the hero of a story has, by the word for its length."""
_EPISODES_A_MINUTE = 3
_WORDS_AN_EPISODE = 50
_MOST_EPISODES = 600


def read(text: str) -> Meaning:
    """What the words mean; never fails."""
    said = normalized(text[:_READ_CHARACTERS])
    if not said:
        return Meaning("silence")
    for kind, pattern in _COMPILED:
        match = pattern.search(said)
        if match is not None:
            return _meaning(kind, {k: v for k, v in match.groupdict().items() if v}, said)
    return Meaning("unknown")


def _meaning(kind: str, named: dict[str, str], said: str) -> Meaning:
    topic, about = named.get("topic") or named.get("topic2") or "", named.get("about", "")
    for fact in ("home", "owned", "liked"):
        if fact in named:
            topic, about = named[fact] if kind == "favorite_is" else "", fact
    if kind in ("weather", "time") and (city := re.search(rf"\bin ({_CITY})\b", said)):
        topic = city[1]
    day = "tomorrow" if "tomorrow" in said.split() else ""
    return Meaning(kind, topic, about, _episodes(said) if kind == "story" else None, day)


def _episodes(said: str) -> int | None:
    """How long a story was asked for: by a word, or by a number of minutes or words."""
    counted = re.search(r"\b(\w+) (minutes?|words)\b", said)
    if counted is not None and (number := _number(counted[1])) is not None:
        if counted[2] == "words":
            return min(_MOST_EPISODES, number // _WORDS_AN_EPISODE)
        return min(_MOST_EPISODES, number * _EPISODES_A_MINUTE)
    length = re.search(r"\b(very )?(short|long)\b", said)
    return None if length is None else EPISODES[length[0]]


def _number(word: str) -> int | None:
    if word.isdigit():
        return int(word[:6])
    return lexicon.NUMBERS.index(word) + 1 if word in lexicon.NUMBERS else None
