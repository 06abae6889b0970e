"""`max_output_tokens`: how much more a response may make (protocol.md §2.4, §4.15).

1. Counted is what `usage` counts of the output: 50 ms of audio or four characters of a text, a
   transcript or arguments are a token, and one that is begun counts.
2. What would cost more is cut to what is left, to the sample or the character; with that the
   response ends as incomplete. What costs exactly the limit is whole.
3. An engine need not know of it: whoever made the score, the machine holds it to the limit.
"""

from __future__ import annotations

import msgspec

from bargein.server.model import score, usage
from bargein.server.model.entries import Entry, Part


def fit(
    action: score.Action,
    *,
    limit: int,
    made: tuple[Entry, ...],
    part: Part | None,
    call: Entry | None,
) -> tuple[score.Action | None, bool]:
    """What of the action still fits, None if nothing does, and whether that is less than all of
    it. `made` are the response's items so far, `part` and `call` those that are open."""
    match action:
        case score.SayText(delta=delta) if part is not None:
            text = part.text or ""
        case score.Arguments(delta=delta) if call is not None:
            text = call.arguments
        case score.Sound(audio=audio) if part is not None:
            return _fitting_sound(audio, part, _left(limit, made))
        case _:
            # Opening and closing cost nothing, and what has no place is the ladder's to refuse.
            return action, False
    used = usage.text_tokens(text)
    capacity = (used + _left(limit, made)) * usage.CHARACTERS_PER_TOKEN - len(text)
    if len(delta) <= capacity:
        return action, False
    cut = msgspec.structs.replace(action, delta=delta[:capacity])
    return (cut if capacity > 0 else None), True


def _fitting_sound(audio: bytes, part: Part, left: int) -> tuple[score.Action | None, bool]:
    used = usage.spoken_tokens(part.made_samples, part.format)
    token_samples = part.format.rate * usage.SPOKEN_TOKEN_MS // 1_000
    capacity = (used + left) * token_samples - part.made_samples
    if part.format.samples(len(audio)) <= capacity:
        return score.Sound(audio), False
    kept = audio[: max(0, capacity) * part.format.bytes_per_sample]
    return (score.Sound(kept) if kept else None), True


def _left(limit: int, made: tuple[Entry, ...]) -> int:
    text, audio = usage.made_tokens(made)
    return max(0, limit - text - audio)
