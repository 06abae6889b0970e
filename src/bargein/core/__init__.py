"""The client's half of a Realtime conversation, pure: no clock, no dice, no I/O, no logging."""
