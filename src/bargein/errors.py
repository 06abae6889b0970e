"""What can go wrong, by whose doing.

    BargeinError
    ├── LocalProtocolError      asked for what the protocol forbids; nothing was sent
    │   └── LocalValueError     … because of a value; also a ValueError
    ├── RemoteProtocolError     the service broke the protocol, or refused what was asked for
    ├── TransportError          the connection could not be made, or ended
    │   ├── AdmissionError      … because the service did not admit us (key, model, origin)
    │   └── DeadlineExceeded    … because a wait reached its deadline
    └── DeviceError             a sound device or a file of sound failed

1. Whose fault it is, is in the type. A fault of the service during a session is a notice, not an
   exception: these are raised only where a caller waits for something that now cannot be.
2. Exceptions of other libraries stop at the border and become `__cause__`.
3. `retryable` says whether the same call can succeed later without a change.
4. No text here ever holds a key.
"""

from __future__ import annotations


class BargeinError(Exception):
    """The root of the tree. Catch it to catch everything that this library raises on purpose."""

    retryable: bool = False


class LocalProtocolError(BargeinError):
    """Raised before anything is sent: the call cannot be right in the session's present state."""


class LocalValueError(LocalProtocolError, ValueError):
    """A value that is wrong by itself; the text names the field, the value and the way out."""


class RemoteProtocolError(BargeinError):
    """The service refused or broke the protocol while a caller was waiting for its answer.

    `code` and `param` are the service's own, where it gave them.
    """

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class TransportError(BargeinError):
    """The pipe to the service failed. `code` is the WebSocket close code or HTTP status, if any."""

    retryable = True

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class AdmissionError(TransportError):
    """The service accepted the connection and refused the session: wrong key, model or intent."""

    retryable = False


class DeadlineExceeded(TransportError, TimeoutError):
    """A wait ended at its deadline; the text names the wait."""


class DeviceError(BargeinError):
    """A sound device or a sound file failed; the text names it."""
