"""Who may come in when: so many visits of one address at once, and so many a second for ever.

A session pays for what it uses of the loop (`sharing`), but one that goes and comes again has an
account of its own each time, and to come takes a core some milliseconds. So visits are counted.

1. A visit is a connection, or a further request on one. Those of an address stand in one line: who
   comes when its visits are used up goes in when the line before it has.
2. Whose turn would come later than `longest_us` from now does not join the line.
3. An address of IPv6 is its first 64 bits, as one host has all of the rest.
4. At most `most` addresses are kept. Who has all visits again is forgotten; while there are still
   too many, those that are not known stand in one line together.

Pure: the edge (`arriving`) brings the time.
"""

from __future__ import annotations

import ipaddress

from bargein.units import US_PER_S


class Doors:
    """Of one server. Time does not run backwards."""

    def __init__(self, at_once: int, per_s: float, *, longest_us: int, most: int = 1_024) -> None:
        self._every_us = max(1, round(US_PER_S / per_s))
        self._saved_us = at_once * self._every_us
        self._longest_us = longest_us
        self._most = most
        self._free_us: dict[str, int] = {}
        """When the line of an address is empty. What lies behind now is visits saved."""
        self.turned_away = 0

    def knock(self, address: str, now_us: int) -> int | None:
        """How long this visit waits for its turn; None: it is not taken."""
        line = self._line_of(address, now_us)
        full_us = now_us - self._saved_us
        free_us = max(self._free_us.get(line, full_us), full_us) + self._every_us
        wait_us = max(0, free_us - now_us)
        if wait_us > self._longest_us:
            self.turned_away += 1
            return None
        self._free_us[line] = free_us
        return wait_us

    @property
    def lines(self) -> int:
        """How many are kept."""
        return len(self._free_us)

    def _line_of(self, address: str, now_us: int) -> str:
        line = _host(address)
        if line in self._free_us or len(self._free_us) < self._most:
            return line
        full_us = now_us - self._saved_us
        self._free_us = {each: at for each, at in self._free_us.items() if at > full_us}
        return line if len(self._free_us) < self._most else _OTHERS


_OTHERS = ""


def _host(address: str) -> str:
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return _OTHERS
    if read.version == 4:
        return address
    mapped = read.ipv4_mapped
    return str(mapped) if mapped is not None else read.exploded[:19]
