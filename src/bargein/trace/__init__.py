"""A trace is the list of the client machine's inputs with their times, and what it did about each.

It replays (`replay`), it tells a bug's story (`show`), and it holds neither sound nor keys
(`leave_out`, `bargein.masking`).
"""
