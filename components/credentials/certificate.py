"""The TLS certificate of an Ingress, from what the user set."""

import base64
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from components.kit.component import Component
from components.kit.labels import labels
from components.kit.metadata import metadata


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """A certificate and its key.

    Attributes:
        namespace: where the Secret goes.
        secret_name: its name.
        certificate: PEM text, the server's certificate first, then those of its issuers.
        key: PEM text; a secret output.
    """

    namespace: str
    secret_name: str
    certificate: pulumi.Input[str]
    key: pulumi.Input[str]


class Certificate(Component):
    """A Secret of type kubernetes.io/tls."""

    token = "trading:credentials:Certificate"

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        parts = {"tls.crt": args.certificate, "tls.key": args.key}
        self.secret = Secret(
            f"{name}-tls",
            type="kubernetes.io/tls",
            metadata=metadata(args.secret_name, args.namespace, labels("credentials", "tls")),
            data={key: pulumi.Output.from_input(text).apply(_base64) for key, text in parts.items()},
            opts=self.child(),
        )
        self.register_outputs({"secret_name": args.secret_name})


def _base64(text: str) -> str:
    # `pulumi config set` takes the last line's end away, and PEM is lines
    return base64.b64encode(f"{text.strip()}\n".encode()).decode()
