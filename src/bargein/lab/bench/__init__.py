"""The claims about speed and memory, measured: `bargein bench`.

1. A figure is a ratio to a named peer in the same run, or stands beside a limit that says what it
   is measured by. No test asserts a time.
2. Rounds of ours and of the peer alternate, and the median of the rounds counts, because the
   machine has other work.
3. What is measured is what ships. Where something stands in for a part (the virtual card, the
   recorded server) the file says so at its head.
"""
