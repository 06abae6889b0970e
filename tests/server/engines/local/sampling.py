"""Sentences of a JSGF grammar: enough of the notation to say what the ears may hear."""

from __future__ import annotations

import random
import re

from bargein.server.engines.local.grammar import SLOTS


def sentence(rule: str, chance: random.Random) -> str:
    """One sentence of the rule's right side, chosen by chance."""
    tokens = re.findall(r"[\[\]()|]|<\w+>|[a-z']+", rule)
    words, rest = _choice(tokens, chance)
    assert not rest, f"{rule!r} has more than it opens: {rest}"
    return " ".join(words)


def _choice(tokens: list[str], chance: random.Random) -> tuple[list[str], list[str]]:
    branches: list[list[str]] = [[]]
    while tokens and tokens[0] not in ("]", ")"):
        token, *tokens = tokens
        if token == "|":
            branches.append([])
        elif token in ("[", "("):
            words, tokens = _choice(tokens, chance)
            _closing, *tokens = tokens
            if token == "(" or chance.random() < 0.5:
                branches[-1] += words
        elif token.startswith("<"):
            branches[-1] += sentence(chance.choice(SLOTS[token[1:-1]]), chance).split()
        else:
            branches[-1].append(token)
    return chance.choice(branches), tokens
