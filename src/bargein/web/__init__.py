"""The page of `bargein serve`, and what stands behind it in the server's process.

The page carries sound and shows what it is told. What it means is decided here: for every call of
the page a session of the client's (`bargein.connect`) is joined to it, and its machine stops,
settles and records. So the page has no arithmetic of its own, and its record is the client's.
"""
