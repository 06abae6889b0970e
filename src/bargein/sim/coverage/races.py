"""The races: two things that cross, each with a sentence of its own.

1. *Under way* is said of a message that one side has sent and the other has not got; *stopping* of
   the time between a stop and the player's answer.
2. A race that no episode meets is a hole in the dice, and `tests/sim/coverage` fails. What cannot
   happen in this world has no name here: a link loses nothing and keeps the order.
"""

from __future__ import annotations

from collections.abc import Mapping

RACES: Mapping[str, str] = {
    # A cancel and the end.
    "done under way at our cancel": "The response was over when it was cancelled; nobody knew.",
    "done before our cancel arrived": "The response ended while our cancel was under way.",
    "speech under way at our cancel": "The user's speech ended what the client cancels besides.",
    # A cut and the beginning.
    "created under way at the cut": "A response had begun that the client cut as a mere request.",
    "create under way at the cut": "A request was cut before the server had even got it.",
    "created for a cut request": "A response was created whose create had been cut before.",
    "created for a cut turn": "The server answered a turn whose reply had been cut before.",
    "cut at the moment of created": "The cut came in the microsecond in which the response began.",
    "cut at the moment of done": "The cut came in the microsecond in which the response ended.",
    "cut at the moment of a delta": "The cut came in the microsecond in which sound arrived.",
    # A cut and what still comes of it.
    "sound after the cut": "Deltas of a cut response arrived after the cut.",
    "new part after the cut": "A part's first sound arrived when its response was cut already.",
    "new item after the cut": "An item began that belongs to a response that was cut already.",
    "call after the cut": "A function call of a cut response arrived after the cut.",
    "done after the cut": "The cut response ended only after the cut.",
    # A stop and its answer.
    "done while stopping": "The response ended between the stop and its answer.",
    "created while stopping": "A response began between the stop and its answer.",
    "new sound while stopping": "Sound of a newer response came before the answer.",
    "speech while stopping": "The user spoke between a stop and its answer.",
    "ask while stopping": "The application cut again between a stop and its answer.",
    "all heard while stopping": "The end had been heard when the stop took hold.",
    "answer after its deadline": "The player answered the stop when it was no longer believed.",
    "next created before the answer": "The answer to the stop came behind the next response.",
    # A correction.
    "correction before the settlement": "The player corrected its answer while the cut was open.",
    "correction after the settlement": "The player corrected its answer when all was settled.",
    "smaller correction": "Less was heard than the service had been told.",
    "larger correction": "More was heard than the service had been told.",
    # Settling.
    "item done, truncate goes out": "The item ended while the truncate went out.",
    "sound coming, truncate goes out": "The server had sent more of the part than had arrived.",
    "truncated after the next created": "A truncate was answered when the next response had begun.",
    "delete waits, ask waits": "The next reply was asked for while a delete waited for its item.",
    "deleted after the next ask": "A delete was unanswered when the application asked for more.",
    "cut before the last is settled": "A new cut began while the one before it was open.",
    "ask joins a cut that was told": "An ask found nothing new beside a cut that was not settled.",
    # A create and another.
    "create crosses an automatic one": "The server began a response of its own: ours crossed.",
    "automatic one crosses a create": "The server refused its own response because of ours.",
    "ask while a response is open": "A reply was asked for while another was being made.",
    "ask while the user speaks": "A reply was asked for in the middle of the user's turn.",
    "ask while a turn is unanswered": "A reply was asked for while the server's own was awaited.",
    "two asks, one response": "One response answered several asks.",
    "out of band beside another": "Two responses were open, one in no conversation.",
    "out of band given up unborn": "A reply out of band was given up before it had begun.",
    "cut beside out of band": "A cut came while a response out of band was open.",
    # The user's speech.
    "speech under way at an ask": "The user's speech was under way when the application asked.",
    "speech while a turn is unanswered": "The user went on before the server had begun to answer.",
    "speech after done, still heard": "The user spoke into a reply that was made, not yet heard.",
    "speech, truncate unanswered": "The user spoke while a truncate was open.",
    "speech at the moment of done": "Speech and the end of a response came in one microsecond.",
    # Settings.
    "update under way at speech": "The user spoke while a change of the settings was under way.",
    "update while a response is open": "The settings changed in the middle of a response.",
    "update while the user speaks": "The settings changed in the middle of the user's turn.",
    # Push-to-talk.
    "pressed while stopping": "The microphone waited for the answer to a stop.",
    "released while stopping": "The button was up before the stop was answered.",
    "pressed again before created": "The button went down before the last turn's reply.",
    "clear behind an unanswered commit": "The buffer was cleared while a commit was under way.",
    # Functions.
    "output while the user speaks": "A function's output was sent in the user's turn.",
    "output while a response is open": "A function's output was sent during a response.",
    "output while stopping": "Output was sent between a stop and its answer.",
    "output after its response was cut": "A function returned when its response had been cut.",
    # The pipe.
    "death while stopping": "The pipe died between a stop and its answer.",
    "death before the settlement": "The pipe died while a cut was open.",
    "death with a request open": "The pipe died while a reply was asked for.",
    "leaving before the settlement": "The application left while a cut was open.",
    "leaving with a request open": "The application left while a reply was asked for.",
    "leaving twice or late": "The application asked for something after it had left.",
    "ask at the moment of the record": "The application asked when it was told of a cut.",
    "ask at the moment of settling": "The application asked when it was told of the settlement.",
    "ask at the moment of a call": "The application asked when it was told of a function call.",
    # Holding, and the application's own events.
    "cut while held": "The cut came when the application had paused the sound.",
    "hold unanswered at the cut": "The cut came before the player had answered a hold.",
    "cut by an event of its own": "The application sent a bare cancel, and it became a cut.",
    "its own delete at a cut": "A delete of the application's own was unanswered at a cut.",
    "muted in the middle of speech": "The microphone was muted while the user spoke.",
    # Edits.
    "edit while stopping": "An edit was asked for between a stop and its answer.",
    "edit before the settlement": "An edit was asked for while a cut was told and not settled.",
    "edit while a response is open": "An edit was asked for while items were being made.",
    "edit, truncate unanswered": "An edit was asked for while a truncate was open.",
    "edit behind an edit": "An edit was asked for while another one was not done.",
    "edit while the socket is full": "An edit was asked for when the socket took nothing.",
    # The socket.
    "cut while the socket is full": "The cut came when the socket took nothing.",
    "done while a cancel waits": "The response ended while its cancel waited for the socket.",
}
