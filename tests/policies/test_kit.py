"""How rules are run: waivers, what could not be told, what is broken, settings, configuration."""

from collections.abc import Callable
from typing import Any

import pytest

from components.kit import waivers as components_waivers
from policies.kit.config import BadConfig, environments, load, parse
from policies.kit.objects import Object, Stack
from policies.kit.quantities import quantity
from policies.kit.rule import Context, Enforcement, Finding, Found, Rule, Setting, Severity
from policies.kit.run import Outcome, evaluate
from policies.kit.selectors import selects
from policies.kit.values import UNKNOWN, Fields, Malformed, UnknownField, plain
from policies.kit.waivers import waivers
from policies.rules import RULES
from tests.policies.stage import TODAY, Stage, run


def config_map(values: dict[str, Any]) -> Object:
    return Object("ConfigMap", "v1", Fields({"metadata": {"name": "c", "namespace": "n"}} | values))


def rule(check: Callable[[Fields, Context], Found], severity: Severity = Severity.LOW) -> Rule:
    return Rule(id="r", title="T", severity=severity, remediation="do it", kinds=("ConfigMap",), check=check)


def bad(subject: Fields, _: Context) -> Found:
    yield Finding("data", "is wrong")


def outcomes(of: Rule, values: dict[str, Any]) -> list[Outcome]:
    return [result.outcome for result in evaluate(of, Context(config_map(values), {}, Stack(()), TODAY))]


def waived(reason: str) -> dict[str, Any]:
    return {"metadata": {"name": "c", "annotations": components_waivers.waive({"r": reason})}}


def test_a_waiver_with_a_reason_is_reported_and_not_dropped() -> None:
    (result,) = evaluate(rule(bad), Context(config_map(waived("as it is")), {}, Stack(()), TODAY))
    assert result.outcome is Outcome.WAIVED
    assert str(result) == "ConfigMap default/c: data: is wrong (waived: as it is)"


def test_a_waiver_without_a_reason_waives_nothing() -> None:
    assert outcomes(rule(bad), waived(" ")) == [Outcome.FAIL]


def test_a_critical_rule_cannot_be_waived() -> None:
    assert outcomes(rule(bad, Severity.CRITICAL), waived("as it is")) == [Outcome.FAIL]


def test_a_waiver_that_is_not_known_yet_waives_nothing() -> None:
    values = {"metadata": {"name": "c", "annotations": {components_waivers.ANNOTATION: UNKNOWN}}}
    assert outcomes(rule(bad), values) == [Outcome.FAIL]


def test_a_reason_may_hold_colons_and_a_waiver_several_rules() -> None:
    given = components_waivers.waive({"a": "x: y", "b": "z"})
    assert waivers(config_map({"metadata": {"annotations": given}})) == {"a": "x: y", "b": "z"}


@pytest.mark.parametrize("text", ["no-such-rule: because", "privileged: because", "zone-spread:"])
def test_a_waiver_that_is_wrong_is_a_violation_itself(text: str) -> None:
    stage = Stage().change("Deployment/web", {"metadata/annotations/policies.trading~1waive": text})
    assert [result.rule.id for result in run(RULES["waivers"], stage.objects())] == ["waivers"]


def test_an_unknown_part_hides_no_violation_of_another() -> None:
    stage = Stage().change("Deployment/web", {"spec/template/spec/containers/0/image": "a:latest"})
    second = {"name": "b", "image": UNKNOWN}
    stage.manifests["Deployment/web"]["spec"]["template"]["spec"]["containers"].insert(0, second)
    found = {result.outcome: result.field for result in run(RULES["image-latest"], stage.objects())}
    path = "spec.template.spec.containers"
    assert found == {Outcome.UNKNOWN: f"{path}[0].image", Outcome.FAIL: f"{path}[1].image"}


def test_an_error_of_a_rule_is_no_pass_and_shows_no_value() -> None:
    def broken(subject: Fields, _: Context) -> Found:
        raise ValueError(f"cannot read {subject['data']['key']}")
        yield

    (result,) = evaluate(rule(broken), Context(config_map({"data": {"key": "hunter2"}}), {}, Stack(()), TODAY))
    assert (result.outcome, "hunter2" in str(result)) == (Outcome.BROKEN, False)
    assert str(result).endswith("could not be checked: the rule ended with ValueError")


def test_an_object_that_is_not_what_the_api_takes_is_no_pass() -> None:
    found = evaluate(RULES["configmap-size"], Context(config_map({"data": "x"}), {"max_kib": 1}, Stack(()), TODAY))
    assert found == []
    stage = Stage().change("Deployment/web", {"spec/template/spec/containers": {"name": "web"}})
    (result,) = run(RULES["image-latest"], stage.objects())
    assert (result.outcome, result.field) == (Outcome.BROKEN, "spec.template.spec.containers")


def test_fields_know_their_paths() -> None:
    fields = Fields({"a": {"b.c/d": [{"e": 1}]}, "n": None})
    assert fields["a"]["b.c/d"][0].at("e") == 'a["b.c/d"][0].e'
    assert fields.dig("x", "y") is None
    assert fields.sub("n").at("z") == "n.z"
    assert [item.path for item in fields.sub("a").each("b.c/d")] == ['a["b.c/d"][0]']
    assert plain(fields) == {"a": {"b.c/d": [{"e": 1}]}, "n": None}


def test_what_is_not_known_raises_only_when_it_is_read() -> None:
    fields = Fields({"a": UNKNOWN, "b": [1, UNKNOWN]})
    assert "a" in fields
    assert set(fields) == {"a", "b"}
    with pytest.raises(UnknownField, match=r"^a is not known"):
        fields.get("a")
    assert fields["b"][0] == 1
    with pytest.raises(UnknownField, match=r"^b\[1\]"):
        list(fields["b"])


def test_values_never_show_in_the_text_of_fields() -> None:
    assert "hunter2" not in repr(Fields({"a": {"b": "hunter2"}})["a"]) + repr(Fields({"a": ["hunter2"]})["a"])
    with pytest.raises(Malformed, match=r"^a is not an object$"):
        Fields({"a": "hunter2"}).sub("a")


@pytest.mark.parametrize(("text", "value"), [("100m", "0.1"), ("1Gi", 1024**3), ("2", 2), ("1e3", 1000), (3.0, 3)])
def test_quantities_are_numbers(text: object, value: object) -> None:
    assert quantity(text) == quantity(value)


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ({"key": "app", "operator": "In", "values": ["web"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["web"]}, False),
        ({"key": "app", "operator": "Exists"}, True),
        ({"key": "app", "operator": "DoesNotExist"}, False),
    ],
)
def test_selectors_read_expressions(expression: dict[str, Any], selected: bool) -> None:
    assert selects(Fields({"matchExpressions": [expression]}), {"app": "web"}) is selected


def test_settings_have_types() -> None:
    made = Rule(
        id="r",
        title="T",
        severity=Severity.LOW,
        remediation="x",
        kinds=(),
        check=bad,
        settings={"n": Setting(1, "number"), "l": Setting((), "list"), "b": Setting(True, "flag")},
    )
    assert made.thresholds({"n": 2.0, "l": ["a"]}) == {"n": 2, "l": ("a",), "b": True}
    for given, message in (
        ({"m": 1}, r"r\.m = 1: there is no such setting; it has b, l, n"),
        ({"n": True}, r"r\.n = True: must be a whole number"),
        ({"l": "a"}, r"r\.l = 'a': must be a list of texts"),
    ):
        with pytest.raises(ValueError, match=message):
            made.thresholds(given)


@pytest.mark.parametrize("environment", environments())
def test_every_committed_configuration_is_right(environment: str) -> None:
    assert set(load(environment, RULES).settings) == set(RULES)


def test_a_configuration_may_set_levels_as_pulumi_reads_them() -> None:
    given = {
        "all": "advisory",
        "privileged": "mandatory",
        "configmap-size": {"enforcementLevel": "disabled", "max_kib": 1},
    }
    config = parse(given, RULES)
    assert config.levels["host-ports"] is Enforcement.ADVISORY
    assert config.levels["privileged"] is Enforcement.MANDATORY
    assert (config.levels["configmap-size"], config.settings["configmap-size"]["max_kib"]) == (Enforcement.DISABLED, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"privilegd": "advisory"}, "privilegd: there is no such rule"),
        ({"privileged": "loud"}, "'loud' is not a valid Enforcement"),
        ({"configmap-size": {"max": 1}}, "configmap-size.max = 1: there is no such setting; it has max_kib"),
    ],
)
def test_a_configuration_that_no_rule_knows_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadConfig, match=message):
        parse(given, RULES)
