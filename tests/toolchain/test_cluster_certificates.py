"""The local cluster's authority: what its certificates say, who can use them, when they are renewed."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from toolchain.cluster import plan
from toolchain.cluster.certificates import (
    ADMIN,
    Authority,
    Identity,
    ensure_authority,
    ensure_issued,
    ensure_secrets,
    identities,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("test", NOW)


def issued(authority: Authority, identity: Identity) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.issue(identity, NOW)[0])


def usages(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_leaf_is_signed_by_the_authority_and_cannot_sign(authority: Authority) -> None:
    leaf = issued(authority, ADMIN)

    leaf.verify_directly_issued_by(authority.certificate)
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    with pytest.raises(ValueError, match="Issuer"):
        authority.certificate.verify_directly_issued_by(leaf)


def test_client_certificates_name_user_and_group(authority: Authority) -> None:
    kubelet = next(each for each in identities("node-2") if each.file == "kubelet")
    subject = issued(authority, kubelet).subject

    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:node-2"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


@pytest.mark.parametrize("member", plan.MEMBERS)
def test_servers_cannot_be_clients_nor_clients_servers(authority: Authority, member: str) -> None:
    for identity in identities(member):
        wanted = ExtendedKeyUsageOID.SERVER_AUTH if identity.hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        assert usages(issued(authority, identity)) == [wanted]


def test_only_the_administrator_is_above_authorization() -> None:
    everybody = [ADMIN, *(each for member in plan.MEMBERS for each in identities(member))]

    assert [each.file for each in everybody if each.group == "system:masters"] == ["admin"]


def test_api_server_is_known_by_all_its_addresses(authority: Authority) -> None:
    server = next(each for each in identities(plan.CONTROL) if each.file == "apiserver")
    names = issued(authority, server).extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    addresses = names.get_values_for_type(x509.IPAddress)
    assert {ip_address(each) for each in ("127.0.0.1", plan.CONTROL_IP, plan.API_SERVICE_IP)} == set(addresses)
    assert "kubernetes.default.svc.cluster.local" in names.get_values_for_type(x509.DNSName)


def test_files_are_private_and_kept(tmp_path: Path) -> None:
    ensure_issued(ensure_authority(tmp_path / "ca", NOW), [ADMIN], tmp_path / "pki", NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    ensure_issued(ensure_authority(tmp_path / "ca", NOW), [ADMIN], tmp_path / "pki", NOW)

    assert {path: path.read_bytes() for path in before} == before
    assert {path.stat().st_mode & 0o777 for path in before} == {0o600}


def test_expiring_and_foreign_certificates_are_replaced(tmp_path: Path) -> None:
    authority = ensure_authority(tmp_path / "ca", NOW)
    ensure_issued(authority, [ADMIN], tmp_path / "pki", NOW)
    first = (tmp_path / "pki/admin.crt").read_bytes()

    ensure_issued(authority, [ADMIN], tmp_path / "pki", NOW + timedelta(days=340))
    second = (tmp_path / "pki/admin.crt").read_bytes()
    assert second != first

    other = ensure_authority(tmp_path / "other", NOW)
    ensure_issued(other, [ADMIN], tmp_path / "pki", NOW + timedelta(days=340))
    x509.load_pem_x509_certificate((tmp_path / "pki/admin.crt").read_bytes()).verify_directly_issued_by(
        other.certificate
    )


def test_cluster_secrets_are_made_once(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ensure_secrets(tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert sorted(before) == ["secretbox.key", "service-account.key", "service-account.pub"]
