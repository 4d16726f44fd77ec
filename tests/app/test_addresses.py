"""Addresses, networks and who a request came from, without any store; the failures of peers by name."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from trading.security.addresses import (
    Address,
    AddressUnknown,
    InvalidNetwork,
    Networks,
    address,
    client,
    network,
    networks,
    unmapped,
)
from trading.security.allowlist import (
    AddressRefused,
    Allowlist,
    AllowlistError,
    AllowlistUnknown,
    Version,
    parse_file,
)

NONE = Networks()
PROXIES = networks(["10.0.0.0/8", "fd00::/8"])
V4 = st.ip_addresses(v=4)
V6 = st.ip_addresses(v=6)
ANY: st.SearchStrategy[Address] = st.one_of(V4, V6)


@st.composite
def nets(draw: st.DrawFn) -> IPv4Network | IPv6Network:
    found = draw(ANY)
    length = draw(st.integers(0, found.max_prefixlen))
    kind = IPv4Network if isinstance(found, IPv4Address) else IPv6Network
    return kind((int(found), length), strict=False)


# networks


@given(st.frozensets(nets(), max_size=8), ANY)
def test_a_set_of_networks_holds_what_one_of_them_holds(
    listed: frozenset[IPv4Network | IPv6Network], one: Address
) -> None:
    assert (one in Networks(listed)) == any(one in each for each in listed)


@given(nets(), st.randoms())
def test_every_address_of_a_network_is_in_it(found: IPv4Network | IPv6Network, random: object) -> None:
    inside = Networks(frozenset({found}))
    for one in (found.network_address, found.broadcast_address):
        assert one in inside


@given(V4, st.integers(0, 32))
def test_a_mapped_network_is_the_ipv4_network(one: IPv4Address, length: int) -> None:
    """Elsewhere mapped networks were listed and never matched anybody."""
    plain = IPv4Network((int(one), length), strict=False)
    assert network(f"::ffff:{plain.network_address}/{96 + length}") == plain
    assert unmapped(IPv6Address(f"::ffff:{one}")) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "10.0.0.0/33",
        "10.0.0.1/8",
        "10.0.0",
        "010.0.0.1",
        "10.0.0.0/255.0.0.255",
        "10.0.0.0/8 ",
        "10.0.0.0-10.0.0.9",
        "2001:db8::1/32",
        "::1%eth0",
        "example.com",
        "*",
    ],
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidNetwork, match="network="):
        network(text)


# the address of a request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:8443", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:8443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:1", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1"),
    ],
)
def test_ports_brackets_zones_and_mapping_are_taken_off(text: str, expected: str) -> None:
    assert address(text) == ip_address(expected)


@pytest.mark.parametrize(
    "text", ["", "unknown", "garbage", "192.0.2.1:x", "192.0.2", "[192.0.2.1", "0x7f.1", "_hidden", "1.2.3.4.5"]
)
def test_what_is_no_address_is_unknown(text: str) -> None:
    with pytest.raises(AddressUnknown):
        address(text)


def test_a_direct_client_cannot_say_who_it_is() -> None:
    """ProxyFix never asks who the peer is; a client with a header of its own was believed."""
    assert client("198.51.100.7", ["203.0.113.9"], PROXIES) == ip_address("198.51.100.7")
    assert client("198.51.100.7", ["garbage"], PROXIES) == ip_address("198.51.100.7")


def test_what_a_client_wrote_itself_is_never_reached() -> None:
    """One hop too many to count, and the attacker's value was taken."""
    for forged in ("203.0.113.9", "10.0.0.1", "garbage", "10.0.0.1, 10.0.0.2"):
        assert client("10.1.1.1", [f"{forged}, 198.51.100.7"], PROXIES) == ip_address("198.51.100.7")
        assert client("10.1.1.1", [forged, "198.51.100.7, 10.2.2.2"], PROXIES) == ip_address("198.51.100.7")


@pytest.mark.parametrize("forwarded", [[], [""], ["10.2.2.2"], ["10.2.2.2, 10.3.3.3", "fd00::1"]])
def test_a_proxy_that_does_not_say_for_whom_it_asks_is_nobody(forwarded: list[str]) -> None:
    """Elsewhere the proxy's own address was taken, and let in wherever the cluster's network was listed."""
    with pytest.raises(AddressUnknown):
        client("10.1.1.1", forwarded, PROXIES)


@pytest.mark.parametrize(
    "forwarded", ["garbage", "198.51.100.7, ", ",", "198.51.100.7;10.0.0.1", "unknown", "x" * 3000]
)
def test_garbage_from_a_proxy_is_refused_and_no_error(forwarded: str) -> None:
    with pytest.raises(AddressUnknown):
        client("10.1.1.1", [forwarded], PROXIES)


@given(ANY, st.lists(ANY, max_size=6))
def test_the_client_is_the_last_hop_that_is_no_proxy(peer: Address, hops: list[Address]) -> None:
    chain = [*map(unmapped, hops), unmapped(peer)]
    outside = [hop for hop in chain if hop not in PROXIES]
    found: Address | None
    try:
        found = client(str(peer), [", ".join(map(str, hops))] if hops else [], PROXIES)
    except AddressUnknown:
        found = None
    assert found == (outside[-1] if outside else None)


@given(st.text(max_size=80))
def test_no_header_makes_an_error_of_ours(text: str) -> None:
    try:
        found = client("10.1.1.1", [text], PROXIES)
    except AddressUnknown:
        return
    assert found not in PROXIES


# the list

FILE = "203.0.113.0/24  # office\n\n# a remark\n2001:db8::/32\n::ffff:198.51.100.0/120\n192.0.2.1\n"


def listed(path: Path, text: str = FILE) -> Path:
    path.write_text(text)
    return path


def admits(allowlist: Allowlist, text: str) -> bool:
    try:
        allowlist.check(ip_address(text))
    except AddressRefused:
        return False
    return True


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_file_has_one_network_a_line_and_remarks() -> None:
    assert {str(each) for each in parse_file(FILE).listed} == {
        "203.0.113.0/24",
        "2001:db8::/32",
        "198.51.100.0/24",
        "192.0.2.1/32",
    }


def test_every_wrong_line_of_a_file_is_named_at_once() -> None:
    with pytest.raises(AllowlistError) as refused:
        parse_file("10.0.0.0/8\n10.0.0.1/8\n\nnonsense # x\n")
    lines = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["line 2", "line 4"]
    assert "no bits set behind its prefix" in lines[0]


def test_without_a_file_and_a_word_of_an_administrator_everybody_gets_in() -> None:
    assert admits(Allowlist(None, NONE, Version()), "198.51.100.7")


def test_an_empty_list_that_is_enforced_lets_nobody_in(tmp_path: Path) -> None:
    assert not admits(Allowlist(listed(tmp_path / "list", "# nobody\n"), NONE, Version()), "127.0.0.1")
    assert not admits(Allowlist(None, NONE, Version(1, True, {})), "127.0.0.1")


def test_file_and_version_are_added_up(tmp_path: Path) -> None:
    allowlist = Allowlist(listed(tmp_path / "list"), NONE, Version())
    assert admits(allowlist, "203.0.113.9")
    assert not admits(allowlist, "198.51.101.7")
    allowlist.take(Version(2, False, {"198.51.101.0/24": "branch"}))
    assert admits(allowlist, "198.51.101.7")
    allowlist.take(Version(1, False, {}))
    assert admits(allowlist, "198.51.101.7"), "an older version that comes late changes nothing"
    assert metric("trading_allowlist_generation", source="store") == 2


def test_until_the_store_was_read_only_the_file_lets_in(tmp_path: Path) -> None:
    for file in (None, listed(tmp_path / "list")):
        allowlist = Allowlist(file, NONE, None)
        with pytest.raises(AllowlistUnknown):
            allowlist.check(ip_address("198.51.101.7"))
    assert admits(allowlist, "203.0.113.9")


def test_a_file_that_is_not_right_at_the_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AllowlistError, match="cannot be read"):
        Allowlist(tmp_path / "missing", NONE, None)
    with pytest.raises(AllowlistError, match="line 1"):
        Allowlist(listed(tmp_path / "list", "10.0.0.1/8"), NONE, None)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(AllowlistError, match="cannot be read"):
        Allowlist(tmp_path / "binary", NONE, None)
    with pytest.raises(AllowlistError, match="at most"):
        Allowlist(listed(tmp_path / "long", "#" * 300_000), NONE, None)


@pytest.mark.parametrize("bad", ["198.51.100.7\nnonsense\n", "10.0.0.1/8"])
def test_a_file_that_becomes_wrong_leaves_the_last_good_one(tmp_path: Path, bad: str) -> None:
    allowlist = Allowlist(listed(tmp_path / "list"), NONE, Version())
    failures = metric("trading_allowlist_reload_failures_total", source="file")
    listed(tmp_path / "list", bad)
    allowlist.reload()
    allowlist.reload()
    assert admits(allowlist, "203.0.113.9")
    assert not admits(allowlist, "198.51.100.7") or bad != "198.51.100.7"
    assert metric("trading_allowlist_reload_failures_total", source="file") == failures + 1, "said once"
    (tmp_path / "list").unlink()
    allowlist.reload()
    assert admits(allowlist, "203.0.113.9")
    generation = metric("trading_allowlist_generation", source="file")
    listed(tmp_path / "list", "198.51.100.7")
    allowlist.reload()
    assert admits(allowlist, "198.51.100.7")
    assert not admits(allowlist, "203.0.113.9")
    assert metric("trading_allowlist_generation", source="file") == generation + 1


def test_a_file_is_followed_through_the_link_that_kubernetes_moves(tmp_path: Path) -> None:
    for name, text in (("one", "192.0.2.1"), ("two", "192.0.2.2")):
        (tmp_path / name).mkdir()
        listed(tmp_path / name / "allowlist", text)
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "allowlist").symlink_to("..data/allowlist")
    allowlist = Allowlist(tmp_path / "allowlist", NONE, Version())
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    allowlist.reload()
    assert admits(allowlist, "192.0.2.2")
    assert not admits(allowlist, "192.0.2.1")
