"""Asks any Realtime server the questions of protocol.md, and holds its answers against them.

1. A `Talk` is a script: a generator that says what to send and what to wait for. It sees what came
   (`Seen`) and does nothing itself. A `Question` names a talk, and its judge reads what was seen.
   Both are pure; `asking` is the only edge.
2. An answer is a few named facts. What differs from the reference is named fact by fact, so that
   a server that does one thing differently differs in one row.
3. Old names are read as the present ones; that they were used is a fact of one question.
4. A server that hangs, closes or sends garbage gives no answer; nothing it does is raised.
5. Whether something is ignored is decided by order, not by the clock: after it goes something that
   the server is known to answer (the fence), and what has not come by then does not come.
"""
