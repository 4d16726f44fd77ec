"""Where the cluster is and how it is used: kubeconfigs, and the provider's own settings."""

import json
from pathlib import Path

import pytest

from toolchain.plugins.kubernetes import config, kubeconfig
from toolchain.plugins.kubernetes.kubeconfig import KubeconfigError, connect, load

KUBECONFIG = """
current-context: one
clusters:
- {name: a, cluster: {server: "https://a:6443/", certificate-authority: ca.pem}}
- {name: b, cluster: {server: "https://b:6443", insecure-skip-tls-verify: true}}
contexts:
- {name: one, context: {cluster: a, user: u, namespace: from-context}}
- {name: two, context: {cluster: b, user: v}}
users:
- {name: u, user: {token: secret-token}}
- {name: v, user: {username: me, password: mine}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text("PEM")
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    return path


def test_the_current_context_is_used_and_files_are_found_beside_the_kubeconfig(file: Path) -> None:
    found = connect(load(str(file)))
    assert (found.server, found.context, found.namespace) == ("https://a:6443", "one", "from-context")
    assert found.authority == "PEM"
    assert found.label == "https://a:6443 (kubeconfig context 'one')"
    assert "secret-token" not in repr(found)


def test_context_cluster_and_namespace_can_be_chosen(file: Path) -> None:
    assert connect(load(str(file)), context="two").insecure
    found = connect(load(str(file)), cluster="b", namespace="mine")
    assert (found.server, found.token, found.namespace) == ("https://b:6443", "secret-token", "mine")


def test_the_content_itself_may_be_given_as_yaml_or_json(file: Path) -> None:
    text = KUBECONFIG.replace("ca.pem", str(file.parent / "ca.pem"))
    assert connect(load(text)).server == "https://a:6443"
    assert connect(load(json.dumps(load(text)))).server == "https://a:6443"


def test_kubeconfigs_of_the_environment_are_merged(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.write_text(
        "clusters: [{name: c, cluster: {server: 'https://c'}}]\ncontexts: [{name: one, context: {cluster: c}}]"
    )
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{file}:{other}")
    assert connect(load("")).server == "https://a:6443", "the first file that names something wins"
    assert connect(load(""), cluster="c").server == "https://c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c\n", r"not valid YAML in line 1"),
        ("[1]\n", r"no kubeconfig"),
        ("clusters: [{name: a, cluster: {server: x}}]\n", r"no current-context"),
        (
            KUBECONFIG.replace("current-context: one", "current-context: gone"),
            r"no context named 'gone'; it has: one, two",
        ),
        (KUBECONFIG.replace("cluster: a, user: u", "cluster: z, user: u"), r"no cluster named 'z'"),
        (KUBECONFIG, r"certificate-authority '.*ca\.pem' cannot be read"),
    ],
)
def test_a_broken_kubeconfig_is_told_in_one_line_without_its_secrets(text: str, said: str) -> None:
    with pytest.raises(KubeconfigError, match=said) as caught:
        connect(load(text))
    assert "\n" not in str(caught.value)
    assert "secret-token" not in str(caught.value)


def test_no_kubeconfig_at_all_is_an_error_that_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeconfigError, match="set the provider's kubeconfig, or KUBECONFIG"):
        connect(load(""))
    with pytest.raises(KubeconfigError, match="is no file"):
        load(str(tmp_path / "none"))


def test_properties_win_over_the_environment() -> None:
    environment = {"PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE": "true", "PULUMI_K8S_CLIENT_BURST": "7"}
    assert config.read({}, environment).mutable.config_map
    assert not config.read({"enableConfigMapMutable": "false"}, environment).mutable.config_map
    assert config.read({"kubeClientSettings": '{"qps": 1.5}'}, environment).qps == 1.5
    assert config.read({}, environment).burst == 7
    assert config.read({}, {}).server_side_apply
    assert not config.read({"enableServerSideApply": False}, {}).server_side_apply


def test_a_setting_that_cannot_be_honoured_is_named() -> None:
    assert [name for name, _ in config.failures({"renderYamlToDirectory": "x"})] == ["renderYamlToDirectory"]
    ((name, reason),) = config.failures({"kubeClientSettings": {"burst": "many"}})
    assert name == "kubeClientSettings"
    assert "'many': not a number" in reason
    assert [name for name, _ in config.failures({"strictMode": "true"})] == ["kubeconfig", "context"]
    assert config.failures({"kubeconfig": "x", "namespace": "n"}) == []


def test_only_another_cluster_replaces_the_provider(file: Path) -> None:
    same = {"kubeconfig": str(file)}
    assert config.changes(same, same) == ([], [])
    assert config.changes(same, same | {"enableSecretMutable": "true"}) == (["enableSecretMutable"], [])
    assert config.changes(same, same | {"context": "two"}) == (["context"], ["context"])
    renewed = {"kubeconfig": KUBECONFIG.replace("secret-token", "new").replace("ca.pem", str(file.parent / "ca.pem"))}
    assert config.changes(same, renewed) == (["kubeconfig"], [])
    moved = {"kubeconfig": renewed["kubeconfig"].replace("//a:", "//z:")}
    assert config.changes(same, moved) == (["kubeconfig"], ["kubeconfig"])


def test_the_cluster_identifier_alone_decides_when_it_is_set(file: Path) -> None:
    old = {"kubeconfig": str(file), "clusterIdentifier": "x"}
    assert config.changes(old, old | {"context": "two"}) == (["context"], [])
    assert config.changes(old, old | {"clusterIdentifier": "y"})[1] == ["clusterIdentifier"]
    assert config.changes({}, {"clusterIdentifier": "y"}) == (["clusterIdentifier"], [])


def test_the_active_cluster_of_a_kubeconfig(file: Path) -> None:
    loaded = kubeconfig.load(str(file))
    assert (kubeconfig.active_cluster(loaded, "", "") or {})["server"] == "https://a:6443/"
    assert kubeconfig.active_cluster(loaded, "gone", "") is None
