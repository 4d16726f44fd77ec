"""What tells environments apart: sizes, zones, storage, autoscaling, the way in. Each rule is one line."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from components.kit.errors import InvalidArgs
from components.kit.footprint import Footprint
from components.network.args import Quota, quota_problems
from components.postgres import pods as postgres_pods
from components.postgres.backup import pods as backup_pods
from components.redis import pods as redis_pods
from components.trading import roles
from components.trading.args import TradingArgs
from components.trading.component import Trading
from components.trading.ingress import ALLOWLIST_ANNOTATION, Entrance
from components.trading.scaling import Autoscaling
from stacks.arguments import Arguments, arguments
from stacks.config import parse
from stacks.platform import deploy
from stacks.profiles import PROFILES, filled
from tests.fix_pulumi import Record
from tests.unit.test_config import PINNED, lines, raw
from tests.unit.test_trading import ARGS
from toolchain.kit.paths import ROOT
from toolchain.render.manifests import manifests

INGRESS = {"host": "trading.example.com", "tls_secret": "trading-tls"}
CONTROLLER = {"api_client_namespaces": ["ingress-nginx"]}
SCALING = {"max_replicas": 4}


def stack(**keys: object) -> dict[str, Any]:
    """A stack that takes its sizes from a profile, and the keys that it gives itself."""
    return {"images": {"postgres": PINNED, "redis": PINNED, "trading": PINNED}, "profile": "small", **keys}


def built(**keys: object) -> Arguments:
    return arguments(parse("local", stack(**keys), ()))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_a_whole_configuration(profile: str) -> None:
    args = built(profile=profile)
    assert args.postgres.resources.cpu_m == PROFILES[profile]["postgres"]["resources"]["cpu_m"]


def test_each_key_of_a_profile_may_be_overruled_alone() -> None:
    args = built(postgres={"storage_gib": 50, "resources": {"cpu_m": 300}}, quota={"storage_gib": 400})
    assert args.postgres.storage_gib == 50
    assert (args.postgres.resources.cpu_m, args.postgres.resources.memory_mib) == (300, 1024)
    assert args.redis.storage_gib == 2


def test_a_profile_changes_nothing_of_itself() -> None:
    before = repr(PROFILES)
    filled({"profile": "small", "postgres": {"resources": {"cpu_m": 1}}})
    assert repr(PROFILES) == before
    assert filled({"namespace": "x"}) == {"namespace": "x"}


def test_a_profile_that_nobody_knows_is_told_together_with_the_rest() -> None:
    assert lines(stack(profile="huge", zones={"minimum": 3})) == [
        "profile = 'huge': one of large, medium, small; give 'large' or another of them",
        "zones.minimum = 3: needs zones.spread = 'hard', a wish has no minimum; "
        "run: pulumi config set --path zones.spread hard, or leave it out",
    ]


def test_text_where_a_section_of_the_profile_belongs_is_not_hidden_by_it() -> None:
    assert lines(stack(redis="big"))[0].startswith("redis = 'big': an object with the keys")


def flat(table: Mapping[str, Any], *path: str) -> Iterator[tuple[str, str]]:
    """Dotted key to the number, or to `cpu_m, memory_mib`, as the documentation writes them."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value.keys() != {"cpu_m", "memory_mib"}:
            yield from flat(value, *path, key)
        else:
            yield ".".join((*path, key)), ", ".join(map(str, value.values() if isinstance(value, Mapping) else [value]))


def test_the_documented_profiles_are_the_table() -> None:
    section = (ROOT / "docs" / "configuration.md").read_text().split("### Profiles")[1].split("\n### ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \|(.*)\|(.*)\|(.*)\|$", section, re.MULTILINE)
    for column, profile in enumerate(("small", "medium", "large"), 1):
        assert {row[0]: row[column].strip() for row in rows if row[column].strip()} == dict(flat(PROFILES[profile]))


@pytest.mark.parametrize(("profile", "cores", "gib"), [("small", 1, 4), ("medium", 2, 6), ("large", 8, 32)])
def test_a_profile_fits_the_nodes_that_the_documentation_says(profile: str, cores: int, gib: int) -> None:
    needed = needs(built(profile=profile))
    assert needed.cpu_m <= 3 * cores * 1000
    assert needed.memory_mib <= 3 * gib * 1024
    text = (ROOT / "docs" / "configuration.md").read_text()
    assert re.search(rf"`{profile}` (fits three nodes with )?{cores} cores? and\s{gib} GiB", text)


def needs(args: Arguments) -> Footprint:
    assert args.postgres.backup is not None
    stores = postgres_pods.needs(args.postgres) + backup_pods.needs(args.postgres, args.postgres.backup)
    return stores + redis_pods.needs(args.redis) + roles.needs(args.trading)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_quota_of_a_profile_holds_twice_its_api_pods(profile: str) -> None:
    replicas = PROFILES[profile]["trading"]["api_replicas"]
    built(profile=profile, trading={"api_autoscaling": {"max_replicas": 2 * replicas}})


@pytest.mark.parametrize(
    ("part", "needed", "sums"),
    [
        ("pods", 32, "postgres 3 + redis 6 + trading 18 + backup 5"),
        ("cpu_m", 2965, "postgres 870 + redis 450 + trading 1225 + backup 420"),
        ("memory_mib", 10832, "postgres 3648 + redis 1968 + trading 4032 + backup 1184"),
        ("storage_gib", 69, "postgres 30 + redis 9 + backup 30"),
        ("claims", 11, "postgres 3 + redis 6 + backup 2"),
    ],
)
def test_a_quota_below_what_is_declared_is_told_with_the_sum(part: str, needed: int, sums: str) -> None:
    built(quota={part: needed})
    assert lines(stack(quota={part: needed - 1})) == [
        f"quota.{part} = {needed - 1}: below the {needed} that are declared ({sums}; pods of an update and of "
        f"autoscaling included); give {needed} or more, or declare less"
    ]


def test_the_quota_must_hold_the_most_that_autoscaling_asks_for() -> None:
    quota = {"pods": 32}
    built(quota=quota)
    (line,) = lines(stack(quota=quota, trading={"api_autoscaling": SCALING}))
    assert line.startswith("quota.pods = 32: below the 34 that are declared")


def test_a_quota_that_holds_exactly_what_is_declared_is_enough() -> None:
    exact = Footprint(pods=1, cpu_m=2, memory_mib=3, storage_gib=4, claims=5)
    assert quota_problems(Quota(pods=1, cpu_m=2, memory_mib=3, storage_gib=4, claims=5), {"a": exact}) == []


def test_zones_are_for_the_stores(recorded: Record) -> None:
    config = parse("local", stack(zones={"spread": "hard", "minimum": 3}), ())
    files = manifests(recorded(lambda: deploy(config, {})))
    rules = {
        name: rule
        for name, it in files.items()
        if it["kind"] in ("Deployment", "StatefulSet")
        for rule in it["spec"]["template"]["spec"]["topologySpreadConstraints"]
    }
    hard = {name for name, rule in rules.items() if rule["whenUnsatisfiable"] == "DoNotSchedule"}
    assert hard == {"statefulset-postgres.yaml", "statefulset-redis.yaml", "statefulset-redis-sentinel.yaml"}
    assert {rules[name]["minDomains"] for name in hard} == {3}
    assert not [name for name in rules.keys() - hard if "minDomains" in rules[name]]


@pytest.mark.parametrize(
    ("zones", "wanted"),
    [
        ({"spread": "hard", "minimum": 1}, "zones.minimum = 1: at least 2 zones (one zone keeps nothing apart)"),
        ({"spread": "hard", "minimum": 4}, "zones.minimum = 4: at most 3 zones (more than the smallest store has"),
        ({"spread": "firm"}, "zones.spread = 'firm': input should be 'soft' or 'hard'"),
    ],
)
def test_a_rule_for_zones_that_cannot_be_kept(zones: dict[str, object], wanted: str) -> None:
    (line,) = lines(stack(zones=zones))
    assert line.startswith(wanted)


def test_each_store_may_have_a_storage_class_of_its_own() -> None:
    args = built(storageClass="standard", redis={"storage_class": "fast"})
    assert (args.postgres.storage_class, args.redis.storage_class) == ("standard", "fast")
    assert built().postgres.storage_class is None


def test_a_storage_class_that_is_no_name() -> None:
    assert [line.split(":")[0] for line in lines(stack(storageClass="Fast SSD"))] == [
        "backup.storage_class = 'Fast SSD'",
        "postgres.storage_class = 'Fast SSD'",
        "redis.storage_class = 'Fast SSD'",
    ]


@pytest.mark.parametrize(
    ("trading", "wanted"),
    [
        ({"api_replicas": 1}, "trading.api_replicas = 1: at least 2 pods (the fewest, with trading.api_autoscaling)"),
        ({"api_replicas": 4}, "trading.api_autoscaling.max_replicas = 4: at least 5 pods (more than trading.api"),
        ({"api_autoscaling": {**SCALING, "target_cpu_percent": 5}}, "trading.api_autoscaling.target_cpu_percent = 5: "),
        ({"api_autoscaling": {**SCALING, "target_cpu_percent": 120}}, "trading.api_autoscaling.target_cpu_percent = "),
        ({"api_autoscaling": {**SCALING, "scale_down_s": -1}}, "trading.api_autoscaling.scale_down_s = -1: at least 0"),
        ({"api_autoscaling": {**SCALING, "scale_down_s": 7200}}, "trading.api_autoscaling.scale_down_s = 7200: "),
        ({"api_autoscaling": {}}, "trading.api_autoscaling.max_replicas = not set: is required"),
        ({"api_autoscaling": {"max": 4}}, "trading.api_autoscaling.max_replicas = not set: is required"),
    ],
)  # fmt: skip
def test_autoscaling_that_cannot_work(trading: dict[str, object], wanted: str) -> None:
    assert [line for line in lines(stack(trading={"api_autoscaling": SCALING, **trading})) if line.startswith(wanted)]


def trading(recorded: Record, **changes: object) -> dict[str, dict[str, Any]]:
    args = TradingArgs(**{**{name: getattr(ARGS, name) for name in ARGS.__dataclass_fields__}, **changes})
    return manifests(recorded(lambda: Trading("trading", args)))


def test_the_autoscaler_chooses_the_number_of_api_pods(recorded: Record) -> None:
    files = trading(recorded, api_autoscaling=Autoscaling(max_replicas=6, target_cpu_percent=60, scale_down_s=120))
    assert "replicas" not in files["deployment-trading-api.yaml"]["spec"]
    assert files["deployment-trading-engine.yaml"]["spec"]["replicas"] == 2
    spec = files["horizontalpodautoscaler-trading-api.yaml"]["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "trading-api"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 6)
    assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 120
    assert files["poddisruptionbudget-trading-api.yaml"]["spec"]["maxUnavailable"] == 1


def test_an_ingress_serves_the_api_by_tls_and_keeps_metrics_inside(recorded: Record) -> None:
    way_in = Entrance(host="t.example.com", class_name="nginx", tls_secret="cert", annotations={"a/b": "30"})
    it = trading(recorded, entrance=way_in)["ingress-trading-api.yaml"]
    assert it["spec"]["ingressClassName"] == "nginx"
    assert it["spec"]["tls"] == [{"hosts": ["t.example.com"], "secretName": "cert"}]
    (rule,) = it["spec"]["rules"]
    assert [(p["path"], p["pathType"]) for p in rule["http"]["paths"]] == [
        ("/v1", "Prefix"),
        ("/health", "Prefix"),
        ("/openapi.json", "Exact"),
        ("/docs", "Prefix"),
    ]
    assert {p["backend"]["service"]["name"] for p in rule["http"]["paths"]} == {"trading-api"}
    assert it["metadata"]["annotations"] == {"a/b": "30"}


@pytest.mark.parametrize(
    ("ingress", "field"),
    [
        ({"host": "https://t.example.com"}, "ingress.host"),
        ({"host": "T.example.com"}, "ingress.host"),
        ({"class_name": "a b"}, "ingress.class_name"),
        ({"tls_secret": "Cert"}, "ingress.tls_secret"),
        ({"annotations": {ALLOWLIST_ANNOTATION: "10.0.0.0/8"}}, f"ingress.annotations.{ALLOWLIST_ANNOTATION}"),
        ({"annotations": {"a": ["30"]}}, "ingress.annotations.a"),
        ({"annotations": "a=b"}, "ingress.annotations"),
        ({"hots": "x"}, "ingress.hots"),
    ],
)
def test_an_ingress_that_is_wrong(ingress: dict[str, object], field: str) -> None:
    (line,) = lines(stack(ingress={**INGRESS, **ingress}, network=CONTROLLER))
    assert line.split(" = ")[0] == field


def test_numbers_and_truths_among_annotations_become_text() -> None:
    """`pulumi config set --path` has no way to say that a number is meant as text."""
    entrance = built(ingress={**INGRESS, "annotations": {"a": 30, "b": True, "c": "x"}}, network=CONTROLLER)
    assert entrance.trading.entrance is not None
    assert entrance.trading.entrance.annotations == {"a": "30", "b": "true", "c": "x"}


def test_an_ingress_without_a_host_is_told_so_and_an_empty_one_is_none() -> None:
    values = stack(ingress={"tls_secret": "cert"}, network=CONTROLLER)
    assert lines(values)[0].startswith("ingress.host = not set: is required")
    assert built(ingress={}).trading.entrance is None


def test_the_controller_of_an_ingress_must_be_let_in() -> None:
    (line,) = lines(stack(ingress=INGRESS))
    assert line.startswith("network.api_client_namespaces = (): the Ingress controller's pods must be allowed")
    assert "pulumi config set --path 'network.api_client_namespaces[0]'" in line


@pytest.mark.parametrize(
    ("ingress", "access", "is_refused"),
    [
        (INGRESS, {"allowlist": ["203.0.113.0/24"]}, True),
        (INGRESS, {"allowlist": [], "trusted_proxies": []}, True),
        (INGRESS, {"allowlist": ["203.0.113.0/24"], "trusted_proxies": ["10.244.0.0/16"]}, False),
        (INGRESS, {"signing": "writes"}, False),
        ({}, {"allowlist": ["203.0.113.0/24"]}, False),
    ],
)
def test_an_allowlist_behind_an_ingress_must_know_its_proxies(
    ingress: dict[str, object], access: dict[str, object], is_refused: bool
) -> None:
    values = stack(ingress=ingress, network=CONTROLLER, trading={"access": access})
    if not is_refused:
        assert parse("local", values, ()).trading.access.given() == {
            name: tuple(value) if isinstance(value, list) else value for name, value in access.items()
        }
        built(ingress=ingress, network=CONTROLLER, trading={"access": access})
        return
    (line,) = lines(values)
    assert line.startswith("trading.access.trusted_proxies = (): behind an Ingress every client has the controller's")
    assert "pulumi config set --path 'trading.access.trusted_proxies[0]'" in line


BLOCKS = ["203.0.113.0/24", "2001:db8::/32"]


def peers(files: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    rules = files["networkpolicy-allow-trading-api.yaml"]["spec"].get("ingress", ())
    return [peer for rule in rules for peer in rule["from"]]


def test_an_allowlist_is_enforced_by_the_controller_behind_an_ingress(recorded: Record) -> None:
    network = {**CONTROLLER, "api_allow_cidrs": BLOCKS}
    config = parse("local", stack(ingress=INGRESS, network=network), ())
    files = manifests(recorded(lambda: deploy(config, {})))
    wanted = {ALLOWLIST_ANNOTATION: "203.0.113.0/24,2001:db8::/32"}
    assert files["ingress-trading-api.yaml"]["metadata"]["annotations"] == wanted
    assert peers(files) == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}},
    ]


def test_an_allowlist_is_enforced_by_the_network_without_an_ingress(recorded: Record) -> None:
    config = parse("local", stack(network={"api_allow_cidrs": BLOCKS}), ())
    files = manifests(recorded(lambda: deploy(config, {})))
    assert "ingress-trading-api.yaml" not in files
    assert peers(files) == [{"ipBlock": {"cidr": block}} for block in BLOCKS]


@pytest.mark.parametrize("ingress", [{}, INGRESS])
@pytest.mark.parametrize(
    ("block", "rule"),
    [
        ("203.0.113.1/24", "an address block in CIDR notation (203.0.113.1/24 has host bits set)"),
        ("2001:db8::1/32", "an address block in CIDR notation"),
        ("office", "an address block in CIDR notation"),
        ("0.0.0.0/0", "an allowlist that allows every address"),
        ("::/0", "an allowlist that allows every address"),
    ],
)
def test_an_allowlist_that_is_none(ingress: dict[str, object], block: str, rule: str) -> None:
    (line,) = lines(stack(ingress=ingress, network={**CONTROLLER, "api_allow_cidrs": [block]}))
    assert line.startswith(f"network.api_allow_cidrs = {block!r}: {rule}")


def test_a_namespace_that_is_no_name() -> None:
    (line,) = lines(stack(network={"api_client_namespaces": ["Ingress Nginx"]}))
    assert line.startswith("network.api_client_namespaces = 'Ingress Nginx': ")


def test_several_rules_are_told_at_once() -> None:
    values = raw(zones={"minimum": 1}, ingress={"host": "UP"}, network={"api_allow_cidrs": ["::/0"]}, profile="tiny")
    with pytest.raises(InvalidArgs) as caught:
        parse("local", values, ())
    assert {p.field for p in caught.value.problems} == {
        "profile",
        "network.api_allow_cidrs",
        "network.api_client_namespaces",
        "tlsCertificate",
        "tlsKey",
        "zones.minimum",
        "ingress.host",
    }
