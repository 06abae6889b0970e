"""The server's protocol machine and what it decides by. Pure: no clock, no dice, no I/O."""
