"""What the local engine's ears expect to hear: a JSGF grammar of the storyteller's domain. Pure.

1. One rule for each meaning, and each sentence of a rule is read by `meaning.read` as just that.
2. A sentence outside is not forced into it: the ears compare how well the best path through the
   grammar fits with how well free speech does (`ear.believed`).
"""

from __future__ import annotations

import re

from bargein.server.engines.local import lexicon

SLOTS = {
    "hero": lexicon.HEROES,
    "thing": lexicon.THINGS,
    "color": lexicon.COLORS,
    "kind": lexicon.KINDS,
    "liked": lexicon.LIKED,
    "name": lexicon.NAMES,
    "city": lexicon.CITIES,
    "number": lexicon.NUMBERS,
    "length": ("short", "very short", "long", "very long"),
    "day": ("today", "tomorrow", "now", "right now", "tonight", "this morning"),
    "please": ("please",),
    "about": ("about (a | the) <hero>",),
}

RULES: dict[str, tuple[str, ...]] = {
    "story": (
        "[<please>] (tell | read) me (a | another | one more | the) [<length>] story [<please>]",
        "[<please>] (tell | read) me (a | another | one more) [<length>] story <about> [<please>]",
        "[<please>] tell me (a | another | one more) [<length>] story about <name>",
        "[<please>] tell me (a | another | one more) [<length>] story about me",
        "(tell | read) me something about (a | the) <hero>",
        "(can | could) you [<please>] tell me (a | another) [<length>] story [<about>] [<please>]",
        "(i want | i would like) (a | another) [<length>] story [<about>]",
        "do you know (a | any) [<length>] (story | stories) [<about>]",
        "(a | another) story [<please>]",
    ),
    "go_on": (
        "[<please>] (go on | continue | carry on | keep going) [<please>]",
        "[<please>] (go on | continue) with (the | your) story [<please>]",
        "[and] (what happened next | what happens next | then what | what then)",
        "what happened then",
        "how does (it | the story) (go on | end)",
        "tell me more",
    ),
    "again": (
        "[<please>] (start | begin) [the story] (again | over | anew) [from the beginning]",
        "[<please>] (start | begin) [again] (from | at) the beginning",
        "[<please>] tell (it | the story | that story) again",
        "from the beginning [<please>]",
    ),
    "repeat": (
        "[<please>] (say | repeat) (that | it) [again] [<please>]",
        "what did you [just] say",
        "what was that",
        "(i did not | i didn't) (hear | understand) (that | you)",
        "could you repeat that [<please>]",
    ),
    "where": (
        "where did you (stop | end | leave off)",
        "where were (you | we)",
        "what was the last thing you said",
        "what did you say last",
        "what were your last words",
        "how far did you get",
    ),
    "stop": (
        "[<please>] (stop | wait | stop it | be quiet | hold on) [<please>]",
        "(wait | hold on) a (minute | moment | second)",
        "(that is | that's) enough [<please> | thank you]",
        "stop (talking | the story) [<please>]",
    ),
    "weather": (
        "(what is | what's | how is | how's) the weather [like] [<day>] [in <city>] [<day>]",
        "what will the weather be [like] <day> [in <city>]",
        "(tell me the weather | the weather) [in <city>] [<day>] [<please>]",
        "(is it | will it be) (raining | sunny | cold | warm) [<day>] [in <city>] [<day>]",
        "will it (rain | snow) [<day>] [in <city>] [<day>]",
        "do i need an umbrella [<day>] [in <city>]",
    ),
    "time": (
        "(what is | what's) the time [now] [in <city>]",
        "what time is it [now] [in <city>]",
        "tell me the time [<please>]",
        "(can | could) you tell me the time",
    ),
    "date": (
        "what day is (it | today)",
        "(what is | what's) (the date | today's date) [today]",
        "what day of the week is it",
    ),
    "hello": ("(hello | hi | hey) [there]", "good (morning | evening | afternoon | day)"),
    "how_are_you": ("[hello] how are you [today | doing]", "how do you do"),
    "who": ("who are you", "(what is | what's) your name", "tell me about yourself"),
    "can": ("what can you do", "(can | could) you help me", "help [me]", "what do you know"),
    "thanks": ("thank you [very much]", "thanks [a lot]", "that was (nice | good | great)"),
    "bye": ("good bye", "goodbye", "bye [bye]", "good night", "see you [later | tomorrow]"),
    "joke": ("tell me a joke", "do you know (a joke | any jokes)", "make me laugh"),
    "name_is": (
        "my name is <name>",
        "(i am | i'm) <name>",
        "[you can] call me <name>",
        "[hello] my name is <name>",
    ),
    "my_name": (
        "(what is | what's) my name",
        "do you (know | remember) my name",
        "who am i",
    ),
    "favorite_is": (
        "my favorite color is <color>",
        "my favorite animal is [the | a] <hero>",
        "my favorite city is <city>",
        "my favorite number is <number>",
        "my favorite (food | drink | season | game) is <liked>",
        "i (like | love) (<liked> | <city> | <color>)",
        "i live in <city>",
        "i am from <city>",
        "(i have | i've got) a <hero>",
    ),
    "favorite": (
        "(what is | what's) my favorite <kind>",
        "do you (know | remember) my favorite <kind>",
        "what do i like",
        "where do i live",
        "what do you (know | remember) about me",
        "what did i (say | tell you)",
    ),
    "city": ("[in] <city>",),
    "yes": ("yes [please]", "sure", "okay", "of course"),
    "no": ("no [thank you | thanks]", "not now"),
}
"""In the notation of JSGF, sentence by sentence: `[optional]`, `(one | other)`, `<slot>`."""


def jsgf() -> str:
    """The grammar's text; its one public rule is `said`."""
    lines = ["#JSGF V1.0;", "grammar storyteller;"]
    lines += [f"<{name}> = {' | '.join(words)};" for name, words in SLOTS.items()]
    lines += [
        f"<{name}> = {' | '.join(f'({sentence})' for sentence in sentences)};"
        for name, sentences in RULES.items()
    ]
    lines.append(f"public <said> = {' | '.join(f'<{name}>' for name in RULES)};")
    return "\n".join(lines)


def words() -> tuple[str, ...]:
    """Every word that the grammar has, once."""
    parts = (*SLOTS.values(), *RULES.values())
    written = " ".join(" ".join(sentences) for sentences in parts)
    return tuple(sorted(set(re.sub(r"<\w+>|[^a-z' ]", " ", written).split())))
