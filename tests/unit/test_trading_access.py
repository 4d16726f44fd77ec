"""How a stack guards its API: what the pods are told, and that the engine understands it."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from components.kit.errors import InvalidArgs
from components.trading.access import Access
from tests.fix_pulumi import Record
from tests.unit.test_trading import ARGS, declare, pod
from trading.security.allowlist import parse_file
from trading.security.signing import Signing
from trading.settings import from_environment

GUARDED = Access(signing="writes", trusted_proxies=("10.1.0.0/16",), allowlist=("203.0.113.0/24", "2001:db8::/32"))
NAMES = {"TRADING_SIGNING", "TRADING_TRUSTED_PROXIES", "TRADING_ALLOWLIST_FILE"}


def settings(files: dict[str, dict[str, Any]], role: str) -> dict[str, str]:
    [container] = pod(files, role)["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_by_default_pods_are_told_nothing_of_it(recorded: Record) -> None:
    files = declare(recorded)
    assert not NAMES & settings(files, "api").keys()
    assert "configmap-trading-allowlist.yaml" not in files


def test_the_api_alone_is_told_and_understands_it(recorded: Record) -> None:
    files = declare(recorded, replace(ARGS, access=GUARDED))
    assert not NAMES & settings(files, "engine").keys()
    told = from_environment(settings(files, "api"))
    assert told.signing is Signing.WRITES
    assert ip_address("10.1.2.3") in told.trusted_proxies
    [mount] = [m for m in pod(files, "api")["containers"][0]["volumeMounts"] if m["name"] == "allowlist"]
    content = files["configmap-trading-allowlist.yaml"]["data"]
    assert str(told.allowlist_file) in {f"{mount['mountPath']}/{name}" for name in content}
    assert "subPath" not in mount, "a copy that no change reaches"
    [text] = content.values()
    assert {str(each) for each in parse_file(text).listed} == set(GUARDED.allowlist or ())


def test_an_empty_allowlist_is_one(recorded: Record) -> None:
    files = declare(recorded, replace(ARGS, access=Access(allowlist=())))
    assert files["configmap-trading-allowlist.yaml"]["data"] == {"networks": ""}


@pytest.mark.parametrize(
    ("access", "field"),
    [
        (Access(signing="some"), "trading.access.signing"),
        (Access(trusted_proxies=("10.0.0.1/8",)), "trading.access.trusted_proxies"),
        (Access(trusted_proxies=("0.0.0.0/0",)), "trading.access.trusted_proxies"),
        (Access(allowlist=("everybody",)), "trading.access.allowlist"),
        (Access(allowlist=("::/0",)), "trading.access.allowlist"),
    ],
)
def test_what_cannot_be_meant_is_refused(access: Access, field: str) -> None:
    with pytest.raises(InvalidArgs) as refused:
        replace(ARGS, access=access)
    assert [problem.field for problem in refused.value.problems] == [field]
