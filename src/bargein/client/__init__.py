"""The friendly face: `connect`, and the session, replies and listeners behind it."""

from bargein.client.connecting import connect

__all__ = ["connect"]
