"""The only loop of the client, and what it is made of: queues in, frames out, limits."""

from bargein.driver.loop import Driver

__all__ = ["Driver"]
