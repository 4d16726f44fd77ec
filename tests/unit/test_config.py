"""Reading a stack's configuration: what is right passes, and whatever is wrong is named, all of it, in one run."""

import copy
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pulumi
import pytest
import yaml
from pydantic import BaseModel

from components.kit import images
from components.kit.errors import NOT_SET, InvalidArgs, Problem
from components.kit.resources import Resources
from components.postgres.args import PostgresArgs
from components.postgres.backup.args import BackupArgs
from components.redis.args import RedisArgs
from stacks.config import kubeconfig_problems, load, parse
from stacks.explain import unknown_key
from stacks.secrets import SECRET_KEYS
from stacks.sections import BackupSection, PostgresSection, RedisSection, Section, StackConfig
from toolchain.kit.paths import ROOT
from toolchain.render.recorder import PROJECT, record
from toolchain.render.stackfile import read

PINNED = "registry.example.com/trading/redis@sha256:" + "a" * 64
LOCAL: Mapping[str, object] = {
    **read("local").values,
    # the content of the images is not what these tests are about
    "images": {"postgres": PINNED, "redis": PINNED, "trading": PINNED},
}


def raw(**changes: object) -> dict[str, Any]:
    """The configuration of stack local, as it is in its file, with changes at `section__key`."""
    values: dict[str, Any] = copy.deepcopy(dict(LOCAL))
    for path, value in changes.items():
        *parents, key = path.split("__")
        here = values
        for part in parents:
            here = here[part]
        here[key] = value
    return values


def refused(values: Mapping[str, object], stack: str = "local", secret_keys: Collection[str] = ()) -> list[Problem]:
    with pytest.raises(InvalidArgs) as caught:
        parse(stack, values, secret_keys)
    return list(caught.value.problems)


def lines(values: Mapping[str, object], stack: str = "local", secret_keys: Collection[str] = ()) -> list[str]:
    return [str(problem) for problem in refused(values, stack, secret_keys)]


def test_the_local_stack_is_right_and_frozen() -> None:
    config = parse("local", raw(), ())
    assert config.namespace == "trading"
    with pytest.raises(ValueError, match="frozen"):
        config.namespace = "other"


def test_an_unknown_key_is_answered_with_the_one_that_was_meant() -> None:
    assert lines(raw(namespce="x")) == ["namespce = 'x': there is no such key; did you mean 'namespace'?"]
    assert lines(raw(redis__storag_gib=1)) == [
        "redis.storag_gib = 1: there is no such key; did you mean 'redis.storage_gib'?"
    ]
    assert lines(raw(registryPasword="x")) == [
        "registryPasword = 'x': there is no such key; did you mean 'registryPassword'?"
    ]


def test_an_unknown_key_that_is_like_no_other_is_answered_with_the_list() -> None:
    assert unknown_key("a.zzz", 1, ["one", "two"]).fix == "the keys here are one, two"


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("redis__storage_gib", "10Gi", "a whole number of GiB, without a unit; give 10"),
        ("redis__storage_gib", "1Ti", "a whole number of GiB, without a unit; give 1024"),
        ("redis__maxmemory_mib", "1Gi", "a whole number of MiB, without a unit; give 1024"),
        ("redis__grace_s", "2m", "a whole number of seconds, without a unit; give 120"),
        ("redis__down_after_ms", "4s", "a whole number of milliseconds, without a unit; give 4000"),
        ("quota__cpu_m", "500m", "a whole number of thousandths of a core, without a unit; give 500"),
        ("quota__pods", "30", "a whole number, without quotes; give 30"),
        ("quota__pods", 1.5, "a whole number, without quotes; give a number such as 1"),
        ("quota__pods", "many", "a whole number, without quotes; give a number such as 1"),
        ("protect", "maybe", "true or false; give true or false, without quotes"),
    ],
)
def test_a_wrong_unit_is_answered_with_the_right_number(path: str, value: object, wanted: str) -> None:
    line = lines(raw(**{path: value}))[0]
    assert line == f"{path.replace('__', '.')} = {value!r}: {wanted}"


def test_text_where_an_object_belongs() -> None:
    (line,) = lines(raw(redis="big"))
    assert line.startswith("redis = 'big': an object with the keys members, sentinels, maxmemory_mib,")


def test_a_missing_size_is_named_with_the_command_that_sets_it() -> None:
    values = raw()
    del values["redis"]["storage_gib"]
    assert lines(values) == [
        "redis.storage_gib = not set: is required; pulumi config set --path redis.storage_gib VALUE",
    ]


def test_the_components_own_rules_are_asked_in_the_same_run() -> None:
    fields = [p.field for p in refused(raw(namespce="x", redis__storage_gib="10Gi", redis__sentinels=4))]
    assert fields == ["redis.storage_gib", "namespce", "redis.sentinels"]


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("redis__sentinels", 4, "an odd number"),
        ("postgres__members", 4, "an odd number"),
        ("postgres__ttl_s", 12, "Patroni's minimum"),
        ("postgres__loop_wait_s", 15, "at least loop_wait_s + 2 * retry_timeout_s = 25 s"),
        ("postgres__max_slot_wal_mib", 4096, "max_wal_mib + max_slot_wal_mib = 4352 MiB exceed 60 % of it"),
        ("redis__maxmemory_mib", 159, "at most 60 % of redis.resources.memory_mib"),
        ("trading__engine_replicas", 1, "one stands by warm"),
        ("quota__pods", 0, "at least 1 pods"),
        ("network", {"api_server_cidrs": ["10.0.0.1/8"]}, "an address block in CIDR notation"),
    ],
)
def test_a_value_that_breaks_a_components_rule(path: str, value: object, rule: str) -> None:
    (line,) = [line for line in lines(raw(**{path: value})) if rule in line]
    assert line.split(".")[0].split(" ")[0] == path.split("__")[0]


def test_a_problem_that_several_components_find_is_told_once() -> None:
    assert [p.field for p in refused(raw(namespace="Trading"))] == ["namespace"]


def test_an_epoch_below_the_first_and_a_kind_that_nobody_knows() -> None:
    problems = refused(raw(credentials={"api": 0, "mail": 1}))
    assert [(p.field, p.value) for p in problems] == [("credentials.api", 0), ("credentials", "mail")]


def test_an_image_must_be_known_and_pinned() -> None:
    problems = refused(raw(images={**raw()["images"], "redis": "redis:8", "mysql": PINNED}))
    assert [(p.field, p.value) for p in problems] == [("images.redis", "redis:8"), ("images", "mysql")]
    assert parse("local", raw(), ()).images["redis"] == PINNED


def test_a_checkout_without_the_files_of_an_image_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str, registry: str) -> str:
        raise FileNotFoundError(f"app/Containerfile of {name} at {registry}")

    monkeypatch.setattr(images, "reference", gone)
    (problem,) = refused(raw(images={"postgres": PINNED, "redis": PINNED}))
    assert problem.field == "images.trading"
    assert problem.fix == "restore the file, or pin a published image"


def test_every_missing_secret_is_named_with_its_command() -> None:
    values = raw(registry="registry.example.com/trading", context="prod")
    assert lines(values, "prod") == [
        f"{key} = not set: registry 'registry.example.com/trading' asks for a login; "
        f"run: pulumi config set --secret {key} --stack prod"
        for key in ("registryUsername", "registryPassword")
    ]


def test_a_secret_in_plain_text_is_refused_and_not_repeated() -> None:
    values = raw(registry="registry.example.com/trading", registryUsername="me", registryPassword="hunter2")
    (line,) = lines(values, secret_keys=["registryUsername"])
    assert line.startswith("registryPassword = '[plain text]': must be encrypted")
    assert "hunter2" not in line


def test_a_wrong_value_that_is_encrypted_is_not_shown() -> None:
    (line,) = lines(raw(protect="hunter2"), secret_keys=["protect"])
    assert line == "protect = '[secret]': true or false; give true or false, without quotes"


@pytest.mark.parametrize("stack", ["staging", "prod", "mine"])
def test_every_stack_but_local_names_its_cluster(stack: str) -> None:
    (problem,) = refused(raw(), stack)
    assert (problem.field, problem.value) == ("context", NOT_SET)
    assert parse(stack, raw(context="there"), ()).context == "there"


def test_a_cluster_must_be_named_by_somebody(tmp_path: Path) -> None:
    there = tmp_path / "kubeconfig"
    there.touch()
    assert kubeconfig_problems(None, None, {"KUBECONFIG": f"/nowhere:{there}"}) == []
    assert kubeconfig_problems(str(there), None, {}) == []
    assert kubeconfig_problems(None, "a-context", {}) == []
    assert [p.field for p in kubeconfig_problems(None, None, {})] == ["KUBECONFIG"]
    assert [p.field for p in kubeconfig_problems(None, None, {"KUBECONFIG": "/nowhere"})] == ["KUBECONFIG"]
    assert [p.field for p in kubeconfig_problems("/nowhere", None, {"KUBECONFIG": str(there)})] == ["kubeconfig"]


def texts(values: Mapping[str, object]) -> dict[str, str]:
    """The configuration as the engine hands it over: objects and booleans as JSON, text as it is."""
    return {
        f"{PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    } | {"kubernetes:context": "ignored"}


def test_the_engines_texts_become_the_same_configuration(tmp_path: Path, away_from_home: None) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch()
    values = raw(kubeconfig=str(kubeconfig), protect=True, registry="r.example.com", registryUsername="7")
    values["registryPassword"] = "hunter2"
    seen: list[StackConfig] = []

    def program() -> None:
        config, secrets = load()
        seen.append(config)
        pulumi.export("password", secrets["registryPassword"])

    secret_keys = [f"{PROJECT}:registryUsername", f"{PROJECT}:registryPassword"]
    recording = record(program, stack="local", config=texts(values), secret_keys=secret_keys)
    assert seen == [parse("local", values, ["registryUsername", "registryPassword"])]
    assert repr(recording.stack_outputs["password"]) == "Secret()"


def test_a_wrong_configuration_ends_the_program_before_anything_is_declared(away_from_home: None) -> None:
    with pytest.raises(InvalidArgs, match="KUBECONFIG = not set"):
        record(load, stack="local", config=texts(raw(namespce="x")))


def test_the_schema_of_the_project_and_of_the_program_have_the_same_keys() -> None:
    schema = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    known = {field.alias for field in StackConfig.model_fields.values()} | set(SECRET_KEYS)
    assert set(schema) == known
    assert all(declared["description"] for declared in schema.values())


def keys_in(model: type[BaseModel]) -> Iterator[str]:
    """Every key that a stack's file may have, in sections of sections too."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from keys_in(part)


def test_every_key_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    keys = {*keys_in(StackConfig), *SECRET_KEYS}
    assert {"max_replicas", "tls_secret", "minimum", "cpu_m"} <= keys
    assert [key for key in sorted(keys) if not re.search(rf"[`.]{key}`", text)] == []


@pytest.mark.parametrize(
    ("name", "args", "section"),
    [
        ("postgres", PostgresArgs, PostgresSection),
        ("backup", BackupArgs, BackupSection),
        ("redis", RedisArgs, RedisSection),
    ],
)
def test_the_documented_defaults_are_the_components_own(name: str, args: type, section: type[Section]) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = dict(
        re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", text.split(f"## `{name}`")[1].split("\n## ")[0], re.MULTILINE)
    )
    assert list(rows) == list(section.model_fields)
    for key, documented in rows.items():
        default = getattr(args, key, None)
        if section.model_fields[key].is_required():
            assert documented == "required", key
        elif isinstance(default, Resources):
            assert documented == f"{default.cpu_m}, {default.memory_mib}", key
        elif default is not None:
            assert documented.lower() == str(default).lower(), key
