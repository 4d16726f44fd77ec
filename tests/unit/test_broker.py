"""Where orders go, from the configuration to the pod: what is refused, who has the keys, who reaches whom."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

import pytest

from components.credentials.broker import BrokerSecrets, BrokerSecretsArgs
from components.kit.errors import InvalidArgs
from components.network.flows import Addresses, Flow, Namespaces
from components.trading.args import Feed, Role
from components.trading.broker import POSTBACK_PORT, Broker
from stacks.arguments import arguments
from stacks.config import parse
from stacks.flows import EXECUTION
from stacks.secrets import BROKER_KEYS
from tests.fix_pulumi import Record
from tests.unit.test_config import lines, raw
from tests.unit.test_trading import ARGS, declare, pod
from toolchain.render.manifests import manifests

LIVE = Broker(kind="http", url="https://api.broker.example:8443/v1", algo_id="PEOPLE", sandbox=True, postback=True)
SECTION: dict[str, Any] = {"kind": "http", "url": "https://api.broker.example", "sandbox": True}
SECRETS = dict.fromkeys(BROKER_KEYS, "set")


@pytest.mark.parametrize(
    ("values", "field", "rule"),
    [
        ({"kind": "Zerodha!"}, "broker.kind", "the name of a broker"),
        ({"kind": "paper"}, "broker.url", "is that of a real broker"),
        ({"url": ""}, "broker.url", "an https URL"),
        ({"url": "http://api.broker.example"}, "broker.url", "an https URL"),
        ({"url": "https://user@api.broker.example"}, "broker.url", "an https URL"),
        ({"url": "https://api.broker.example:x"}, "broker.url", "an https URL"),
        ({"timeout_s": Decimal(0)}, "broker.timeout_s", "0.1 to 30 seconds"),
        ({"algo_id": "a b"}, "broker.algo_id", "at most 40 letters"),
        ({"secret_name": "No Name"}, "broker.secret_name", "RFC 1123"),
        ({"sandbox": False}, "trading.feed.source", "is made up, and broker.kind 'http' may trade for real"),
    ],
)
def test_a_broker_that_would_not_do_is_refused(values: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgs) as caught:
        replace(ARGS, broker=replace(LIVE, **values))
    found = {problem.field: problem.rule for problem in caught.value.problems}
    assert rule in found[field]


def test_real_orders_on_a_real_feed_need_no_sandbox() -> None:
    real = replace(ARGS, broker=replace(LIVE, sandbox=False), feed=Feed(source="/data/bars.parquet"))
    assert real.broker.port == 8443


def test_the_keys_are_mounted_by_who_executes_orders_and_nobody_else(recorded: Record) -> None:
    files = declare(recorded, replace(ARGS, broker=LIVE))
    volumes = {role: {v["name"] for v in pod(files, role)["volumes"]} for role in get_args(Role)}
    assert {role for role, names in volumes.items() if "credentials-broker" in names} == {"execution"}
    (migrate,) = pod(files, "execution")["initContainers"]
    assert "/credentials/broker" not in [mount["mountPath"] for mount in migrate["volumeMounts"]]


def test_a_secret_of_others_is_mounted_in_the_same_place(recorded: Record) -> None:
    files = declare(recorded, replace(ARGS, broker=replace(LIVE, secret_name="broker-keys")))
    [volume] = [v for v in pod(files, "execution")["volumes"] if v["name"] == "credentials-broker"]
    assert volume["secret"]["secretName"] == "broker-keys"


def test_who_executes_orders_is_told_of_the_broker_and_the_others_are_not(recorded: Record) -> None:
    files = declare(recorded, replace(ARGS, broker=LIVE))
    told = {
        role: {e["name"]: e["value"] for e in pod(files, role)["containers"][0]["env"] if "BROKER" in e["name"]}
        for role in get_args(Role)
    }
    assert told.pop("execution") == {
        "TRADING_BROKER": "http",
        "TRADING_BROKER_URL": "https://api.broker.example:8443/v1",
        "TRADING_BROKER_TIMEOUT_S": "3",
        "TRADING_BROKER_ALGO_ID": "PEOPLE",
        "TRADING_BROKER_SANDBOX": "yes",
        "TRADING_BROKER_POSTBACK": f"0.0.0.0:{POSTBACK_PORT}",
    }
    assert not any(told.values())


def test_a_service_for_calls_back_is_made_only_where_there_are_any(recorded: Record) -> None:
    name = "service-trading-execution-postback.yaml"
    spec = declare(recorded, replace(ARGS, broker=LIVE))[name]["spec"]
    assert [(port["port"], port["targetPort"]) for port in spec["ports"]] == [(POSTBACK_PORT, "postback")]
    assert name not in declare(recorded, replace(ARGS, broker=replace(LIVE, postback=False)))
    assert name not in declare(recorded)


def test_keys_and_ways_that_are_missing_are_told_at_once() -> None:
    assert [line.split(": ")[0] for line in lines(raw(broker={**SECTION, "postback": True}))] == [
        "brokerApiKey = not set",
        "brokerApiSecret = not set",
        "brokerAccessToken = not set",
        "network.broker_cidrs = ()",
        "network.api_client_namespaces = ()",
    ]


def test_a_key_in_plain_text_is_refused_without_being_shown() -> None:
    network = {"broker_cidrs": ["192.0.2.0/24"]}
    given = {**raw(broker=SECTION, network=network), **SECRETS, "brokerAccessToken": "sesame"}
    (line,) = lines(given, secret_keys={"brokerApiKey", "brokerApiSecret"})
    assert line.startswith("brokerAccessToken = '[plain text]': must be encrypted")


def test_who_executes_orders_reaches_the_broker_and_is_called_back() -> None:
    network = {"broker_cidrs": ["192.0.2.0/24"], "api_client_namespaces": ["ingress-nginx"]}
    given = {**raw(broker={**SECTION, "postback": True}, network=network), **SECRETS}
    found = arguments(parse("local", given, SECRETS))
    ours = [flow for flow in found.network.flows if "192.0.2.0" in repr(flow) or POSTBACK_PORT in flow.ports]
    assert ours == [
        Flow(EXECUTION, Addresses("192.0.2.0/24"), (443,)),
        Flow(Namespaces("ingress-nginx"), EXECUTION, (POSTBACK_PORT,)),
    ]


def test_the_stack_makes_no_keys_that_others_keep() -> None:
    network = {"broker_cidrs": ["192.0.2.0/24"]}
    config = parse("local", raw(broker={**SECTION, "secret_name": "broker-keys"}, network=network), ())
    assert arguments(config).trading.broker.secret_name == "broker-keys"


def test_what_is_given_becomes_files_of_one_secret(recorded: Record) -> None:
    args = BrokerSecretsArgs(namespace="trading", api_key="k", access_token="t\n")
    files = manifests(recorded(lambda: BrokerSecrets("broker", args)))
    assert files["secret-credentials-broker.yaml"]["stringData"] == {"api-key": "[secret]", "access-token": "[secret]"}
