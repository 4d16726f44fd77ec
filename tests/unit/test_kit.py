"""The shared pieces: quantities, rules, resources, volumes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.kit.errors import NOT_SET, Problem
from components.kit.labels import labels, selector
from components.kit.quantities import gib, mib, millicores
from components.kit.resources import Resources
from components.kit.rules import at_least, at_most, dns_label, odd, one_of
from components.kit.scheduling import spread
from components.kit.volumes import claim_template, credential_volumes


def test_a_problem_is_one_line_of_field_value_rule_and_way_out() -> None:
    assert str(Problem("a.b", "x", "a rule", "do this")) == "a.b = 'x': a rule; do this"
    assert str(Problem("a.b", NOT_SET, "is required", "set it")) == "a.b = not set: is required; set it"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (mib(512), "512Mi"),
        (mib(2048), "2Gi"),
        (mib(1536), "1536Mi"),
        (gib(10), "10Gi"),
        (gib(2048), "2Ti"),
        (millicores(250), "250m"),
        (millicores(2000), "2"),
    ],
)
def test_quantities_are_as_the_api_writes_them(text: str, wanted: str) -> None:
    assert text == wanted


@given(st.integers(min_value=1, max_value=10**6))
def test_a_quantity_keeps_its_value(memory_mib: int) -> None:
    text = mib(memory_mib)
    number, unit = int(text[:-2]), text[-2:]
    assert number * {"Mi": 1, "Gi": 1024, "Ti": 1024**2}[unit] == memory_mib


def test_a_selector_is_part_of_the_labels_and_never_of_what_changes() -> None:
    assert selector("postgres", "server").items() <= labels("postgres", "server").items()
    assert set(selector("postgres")) == {"app.kubernetes.io/name"}


def test_rules_pass_what_is_right() -> None:
    assert not [
        *at_least("f", 3, 3, "pods"),
        *at_most("f", 3, 3, "pods"),
        *odd("f", 3, "why"),
        *dns_label("f", "a-1"),
        *one_of("f", "a", "ab"),
    ]


def test_rules_name_the_way_out() -> None:
    assert str(at_least("members", 2, 3, "pods", "a quorum")[0]) == (
        "members = 2: at least 3 pods (a quorum); give 3 or more"
    )
    assert str(odd("sentinels", 4, "a majority")[0]) == "sentinels = 4: an odd number (a majority); give 5"
    assert at_most("f", 4, 3, "pods")[0].fix == "give 3 or less"
    assert one_of("f", "c", "ab")[0].rule == "one of a, b"


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a" * 64])
def test_what_is_no_dns_label(name: str) -> None:
    assert dns_label("namespace", name)


def test_memory_is_limited_to_the_request_disk_to_more_and_cpu_is_not() -> None:
    args = Resources(cpu_m=100, memory_mib=256).args()
    assert args.requests == {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"}
    assert args.limits == {"memory": "256Mi", "ephemeral-storage": "512Mi"}


def test_resources_below_any_use_are_problems() -> None:
    fields = [p.field for p in Resources(cpu_m=0, memory_mib=1).problems("x.resources")]
    assert fields == ["x.resources.cpu_m", "x.resources.memory_mib"]


def test_credentials_are_folders_that_the_group_reads() -> None:
    volumes, mounts = credential_volumes(["api"], {"api": "credentials-api"})
    assert volumes[0].secret is not None
    assert volumes[0].secret.default_mode == 0o440  # type: ignore[union-attr]
    assert mounts[0].mount_path == "/credentials/api"
    assert mounts[0].sub_path is None


def test_an_unknown_kind_of_credential_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        credential_volumes(["nothing"], {})


def test_pods_are_apart_by_rule_or_by_wish() -> None:
    hard, soft = spread({"a": "b"}), spread({"a": "b"}, hard=False)
    must, wish = hard.affinity.pod_anti_affinity, soft.affinity.pod_anti_affinity
    assert must.required_during_scheduling_ignored_during_execution  # type: ignore[union-attr]
    assert not wish.required_during_scheduling_ignored_during_execution  # type: ignore[union-attr]
    assert wish.preferred_during_scheduling_ignored_during_execution  # type: ignore[union-attr]
    assert hard.zones[0].when_unsatisfiable == "ScheduleAnyway"


def test_a_claim_without_a_class_asks_for_the_default_one() -> None:
    claim = claim_template("data", storage_gib=10, storage_class=None, labels={})
    assert claim.spec.storage_class_name is None  # type: ignore[union-attr]
