"""The `chat` engine: a mind behind a chat-completions URL, with ears and a voice of its own.

`messages`, `sse`, `thinking`, `sentences`, `pacing`, `wav` and `faults` are pure: they neither wait
nor reach anywhere. `http` is the one door to the network; `mind`, `ears` and `voice` go through it,
and `engine` puts them together.
"""
