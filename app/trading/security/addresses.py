"""IP addresses and networks as they are written, and which address a request came from. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from trading.domain.errors import TradingError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
MAPPED = IPv6Network("::ffff:0:0/96")
MAX_FORWARDED = 2048  # characters of all X-Forwarded-For headers together
WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([0-9.]+):\d{1,5}")


class InvalidNetwork(TradingError):
    """A text that is neither an address nor a network."""

    code = "NETWORK_INVALID"


class AddressUnknown(TradingError):
    """It cannot be said from which address a request came."""

    code = "ADDRESS_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Networks:
    """A set of networks; asking whether an address is in it takes one look-up for each length of prefix."""

    listed: frozenset[Network] = frozenset()
    _by_length: dict[tuple[int, int], frozenset[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the networks by family and length."""
        lengths: dict[tuple[int, int], set[int]] = {}
        for network in self.listed:
            shift = network.max_prefixlen - network.prefixlen
            lengths.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
        object.__setattr__(self, "_by_length", {key: frozenset(values) for key, values in lengths.items()})

    def __contains__(self, address: Address) -> bool:
        number = int(address)
        return any(
            version == address.version and number >> shift in prefixes
            for (version, shift), prefixes in self._by_length.items()
        )

    def __or__(self, other: "Networks") -> "Networks":
        return Networks(self.listed | other.listed)


def network(text: str) -> Network:
    """The network, or the single address as a network; one of mapped IPv4 addresses becomes the IPv4 network.

    Raises:
        InvalidNetwork: not a network in CIDR notation, or with bits set behind its prefix.
    """
    try:
        found = ip_network(text, strict=True)
    except ValueError as error:
        raise InvalidNetwork(
            f"network={text!r}: must be an address or a network such as 10.0.0.0/8, {_why(error)}"
        ) from error
    if isinstance(found, IPv6Network):
        if getattr(found.network_address, "scope_id", None):
            raise InvalidNetwork(f"network={text!r}: must have no zone; leave out what follows %")
        if found.subnet_of(MAPPED):
            low = int(found.network_address) - int(MAPPED.network_address)
            return IPv4Network((low, found.prefixlen - MAPPED.prefixlen))
    return found


def networks(texts: Iterable[str]) -> Networks:
    """A set of them; raises as `network`."""
    return Networks(frozenset(network(text) for text in texts))


def address(text: str) -> Address:
    """The address that a hop or a peer is written as: without port, brackets and zone, a mapped one as IPv4.

    Raises:
        AddressUnknown: it is none.
    """
    text = text.strip()
    if match := WITH_PORT.fullmatch(text):
        text = match[1] or match[2] or ""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError as error:
        raise AddressUnknown("an address in X-Forwarded-For, or the peer's, is none") from error
    return unmapped(found)


def unmapped(found: Address) -> Address:
    """An IPv4 address that is written as IPv6, as IPv4; any other as it is."""
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def client(peer: str, forwarded: Sequence[str], trusted: Networks) -> Address:
    """Who a request came from: the first hop, going back from the peer, that is not one of our proxies.

    Args:
        peer: address of the other end of the connection.
        forwarded: every X-Forwarded-For header, in order. What a client wrote there itself stands left of what our
            proxies have added, so it is never reached.
        trusted: the networks of our proxies.

    Raises:
        AddressUnknown: a hop is no address, or a proxy of ours does not say for whom it asks.
    """
    hop = address(peer)
    if hop not in trusted:
        return hop
    joined = ",".join(forwarded)
    if len(joined) > MAX_FORWARDED:
        raise AddressUnknown(f"X-Forwarded-For is longer than {MAX_FORWARDED} characters")
    for part in reversed(joined.split(",")) if joined else ():
        hop = address(part)
        if hop not in trusted:
            return hop
    raise AddressUnknown("the proxy does not say for whom it asks")


def _why(error: ValueError) -> str:
    return "with no bits set behind its prefix" if "host bits" in str(error) else "IPv4 or IPv6"
