"""The cluster's certificate authority and the certificates it signs. EC P-256 throughout."""

import base64
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from toolchain.cluster import plan
from toolchain.cluster.files import write_private

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class Identity:
    """What a certificate says: who (user and group in Kubernetes' terms), and for a server, under which names.

    A server's certificate (one with `hosts`) cannot be used by a client and the other way round.
    """

    file: str
    user: str
    group: str | None = None
    hosts: tuple[str, ...] = ()


API_HOSTS = (
    "localhost",
    "127.0.0.1",
    plan.CONTROL_IP,
    plan.API_SERVICE_IP,
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{plan.DNS_DOMAIN}",
)


def identities(member: str) -> tuple[Identity, ...]:
    """The certificates that a member's processes hold; each member gets its own and no other's."""
    if member == plan.CONTROL:
        return (
            Identity("apiserver", "kube-apiserver", hosts=API_HOSTS),
            Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client"),
            Identity("controller-manager", "system:kube-controller-manager"),
            Identity("scheduler", "system:kube-scheduler"),
            Identity("coredns", "trading:coredns"),
            Identity("provisioner", "trading:provisioner"),
            Identity("forwarder", "trading:forwarder"),
        )
    return (
        Identity("kubelet-server", f"system:node:{member}", "system:nodes", hosts=(member, plan.address(member))),
        Identity("kubelet", f"system:node:{member}", "system:nodes"),
        Identity("kube-proxy", "system:kube-proxy"),
    )


ADMIN = Identity("admin", "admin", "system:masters")


@dataclass(frozen=True)
class Authority:
    """A certificate authority that can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, name: str, now: datetime) -> "Authority":
        """A new self-signed authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        certificate = (
            builder(subject, subject, key.public_key(), now, AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, folder: Path) -> "Authority":
        """The authority that `save` wrote."""
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{folder / 'ca.key'}: not an EC key")
        return cls(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), key)

    def save(self, folder: Path) -> None:
        """Write ca.key and, last, ca.crt."""
        write_private(folder / "ca.key", key_pem(self.key))
        write_private(folder / "ca.crt", certificate_pem(self.certificate))

    def issue(self, identity: Identity, now: datetime) -> tuple[bytes, bytes]:
        """A certificate and its new key, both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.COMMON_NAME, identity.user)]
        if identity.group:
            names.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group))
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if identity.hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        issuer = self.certificate.subject
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        draft = (
            builder(x509.Name(names), issuer, key.public_key(), now, LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(identifier, critical=False)
        )
        if identity.hosts:
            draft = draft.add_extension(alternative_names(identity.hosts), critical=False)
        return certificate_pem(draft.sign(self.key, hashes.SHA256())), key_pem(key)


def builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    """A certificate as far as authorities and leaves have it in common; valid from five minutes ago."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + life)
    )


def alternative_names(hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    """Host names and addresses as a certificate's alternative names."""
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def ensure_authority(folder: Path, now: datetime) -> Authority:
    """The authority in `folder`, created at the first call."""
    if not (folder / "ca.crt").exists():
        Authority.create("trading-platform local cluster", now).save(folder)
    return Authority.load(folder)


def ensure_issued(authority: Authority, wanted: Sequence[Identity], folder: Path, now: datetime) -> None:
    """Write `<file>.crt` and `<file>.key` of every identity that has none, or one that expires soon, and ca.crt."""
    write_private(folder / "ca.crt", certificate_pem(authority.certificate))
    for identity in wanted:
        target = folder / f"{identity.file}.crt"
        if target.exists() and still_good(target.read_bytes(), authority, now):
            continue
        certificate, key = authority.issue(identity, now)
        write_private(folder / f"{identity.file}.key", key)
        write_private(target, certificate)


def still_good(pem: bytes, authority: Authority, now: datetime) -> bool:
    """Whether a certificate is of this authority and lasts for a while."""
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, InvalidSignature):
        return False
    return certificate.not_valid_after_utc - now > RENEW_BEFORE


def ensure_secrets(folder: Path) -> None:
    """The key pair that signs service account tokens, and the key that encrypts Secrets in etcd; created once."""
    if not (folder / "service-account.pub").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(folder / "service-account.key", key_pem(key))
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_private(folder / "service-account.pub", public)
    if not (folder / "secretbox.key").exists():
        write_private(folder / "secretbox.key", base64.b64encode(secrets.token_bytes(32)))


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)
