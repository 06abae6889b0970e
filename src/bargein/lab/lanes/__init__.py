"""Two exchanges of one conversation, compared lane by lane: does the second server answer as the
first?

`differences(reference, answered)` takes what two servers sent for the same client frames, as plain
JSON objects, and says in sentences what differs; nothing if nothing does.

1. What belongs to one thing stands in one lane: the session, the input buffer, each item, each
   response, each transcription. Within a lane the order is exact.
2. Across lanes the order is chance, but for the causes of protocol.md §4 (`causes`).
3. Every event has the reference's fields, in its order, and their JSON types; values are equal
   where they do not depend on ids, times, sound or the model's count of tokens (`values`).
4. The deltas of one part count as one event, which begins with the first and ends with the last.
5. `rate_limits.updated` is optional (protocol.md §4.2: it comes when it comes).
6. Ids are compared by their form and by what they name: the first item of the user in the one is
   the first item of the user in the other (`naming`).

Pure: no clock, no files. A recording's client frames are not needed and not looked at.
"""

from bargein.lab.lanes.compare import differences

__all__ = ["differences"]
