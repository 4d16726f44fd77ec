"""From the engine's resources to objects, without an engine."""

import pytest
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies.kit.engine import kind_of, lazily
from policies.kit.values import Fields, UnknownField, plain


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("kubernetes:core/v1:Secret", ("Secret", "v1")),
        ("kubernetes:apps/v1:StatefulSet", ("StatefulSet", "apps/v1")),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", ("NetworkPolicy", "networking.k8s.io/v1")),
        ("random:index/randomPassword:RandomPassword", ("random:RandomPassword", "")),
        ("kubernetes:apps/v1:DeploymentPatch", ("", "")),
        ("kubernetes:yaml/v2:ConfigGroup", ("", "")),
        ("pulumi:providers:kubernetes", ("", "")),
        ("pulumi:pulumi:Stack", ("", "")),
        ("trading:redis:Redis", ("", "")),
    ],
)
def test_the_kind_of_a_type_token(token: str, kind: tuple[str, str]) -> None:
    assert kind_of(token) == kind


def test_values_of_the_engine_read_like_those_of_a_manifest() -> None:
    values = {"spec": {"replicas": 3.0, "ports": [{"name": "http"}], "empty": None}}
    assert plain(Fields(lazily(unknown_checking_proxy(values)))) == values


def test_what_the_engine_does_not_know_yet_raises_with_its_path() -> None:
    fields = Fields(lazily(unknown_checking_proxy({"spec": {"ports": [{"name": UNKNOWN_STRING_VALUE, "port": 1}]}})))
    (port,) = fields.sub("spec").each("ports")
    assert port["port"] == 1
    with pytest.raises(UnknownField, match=r"^spec\.ports\[0\]\.name is not known"):
        port.get("name")
