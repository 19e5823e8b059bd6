"""Floods: how many requests an address and a session may make."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass

# A hundred raters behind one address, each answering as fast as their hands allow and loading
# three pictures a question, stay under the first; a single rater stays far under the last.
PER_ADDRESS = (300.0, 10_000.0)
NEW_SESSIONS_PER_ADDRESS = (0.5, 300.0)
VOTES_PER_SESSION = (5.0, 60.0)


@dataclass
class _Bucket:
    left: float
    at: float


class Limit:
    """Token buckets by key: ``burst`` at once, then ``rate`` a second.

    At most ``keys`` of them are remembered, the last used; a flood of keys costs no memory.
    """

    def __init__(self, rate: float, burst: float, keys: int = 20_000) -> None:
        self.rate, self.burst, self.keys = rate, burst, keys
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, key: str, now: float) -> int:
        """Take one request of ``key`` at ``now`` (seconds, monotonic): 0, or seconds to wait."""
        bucket = self._buckets.pop(key, None) or _Bucket(self.burst, now)
        bucket.left = min(self.burst, bucket.left + (now - bucket.at) * self.rate)
        bucket.at = now
        self._buckets[key] = bucket
        if len(self._buckets) > self.keys:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return max(1, math.ceil((1 - bucket.left) / self.rate))
        bucket.left -= 1
        return 0


def address_key(host: str) -> str:
    """One key for all addresses of one connection: of IPv6, the first 64 bits."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return host
