"""Whether a session stands: the service's answer to our first words, or its refusal."""

from __future__ import annotations

from typing import assert_never

from bargein import events
from bargein.client.subscription import Subscription
from bargein.core.notices import Connected, Dropped, Fault, Lost
from bargein.errors import AdmissionError, RemoteProtocolError, TransportError

_ADMISSION_CODES = (1008, 3000, 4000)


async def standing(beginning: Subscription[Connected | Fault | Lost]) -> events.Session:
    """Wait until the session stands, and give the settings in effect."""
    fault: Fault | None = None
    async for notice in beginning:
        match notice:
            case Connected(session=effective):
                return effective
            case Fault(about="session.update", message=message, code=code, param=param):
                raise RemoteProtocolError(
                    f"the service refused the session's settings: {message}", code=code, param=param
                )
            case Fault():
                fault = notice
            case Lost(code=code, reason=reason):
                raise _refused(fault, code, reason)
            case Dropped():
                pass
            case _:
                assert_never(notice)
    raise TransportError("the session ended before it stood")


def _refused(fault: Fault | None, code: int | None, reason: str) -> TransportError:
    """The service's own words for a refusal after the handshake (protocol.md section 1.1.3)."""
    words = ": ".join(
        word for word in (fault and fault.code, fault.message if fault else reason) if word
    )
    if fault is not None or code in _ADMISSION_CODES:
        return AdmissionError(f"the service refused the session: {words}", code=code)
    return TransportError(
        f"the connection ended before the session stood{': ' if words else ''}{words}", code=code
    )
