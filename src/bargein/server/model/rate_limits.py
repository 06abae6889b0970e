"""What `rate_limits.updated` says (protocol.md §2.3): what is left of the last minute's limits."""

from __future__ import annotations

from bargein import events

TOKENS_PER_MINUTE = 15_000_000
"""As in the recordings; nothing is limited by it."""
REQUESTS_PER_MINUTE = 5_000
"""The same, of the requests that beta listed; a figure of ours."""


def updated(event_id: str, tokens: int, *, requests: int | None) -> events.RateLimitsUpdated:
    """The event after so many tokens were used, and requests made; None: they are not listed."""
    limits = [_rate_limit("tokens", TOKENS_PER_MINUTE, tokens)]
    if requests is not None:
        limits.insert(0, _rate_limit("requests", REQUESTS_PER_MINUTE, requests))
    return events.RateLimitsUpdated(event_id=event_id, rate_limits=tuple(limits))


def _rate_limit(name: str, limit: int, used: int) -> events.RateLimit:
    return events.RateLimit(
        name=name,
        limit=limit,
        remaining=max(0, limit - used),
        reset_seconds=round(used * 60 / limit, 3),
    )
