"""The keys of a broker, from what the user set."""

import base64
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from components.credentials.args import BROKER_KIND, SECRET_NAMES
from components.kit.component import Component
from components.kit.labels import labels
from components.kit.metadata import metadata


@dataclass(frozen=True, kw_only=True)
class BrokerSecretsArgs:
    """What the broker has given out; None is left out.

    Attributes:
        namespace: where the Secret goes.
        api_key: names the application.
        api_secret: with which its calls back are signed.
        access_token: of the session; many brokers give out another every day.
    """

    namespace: str
    api_key: pulumi.Input[str] | None = None
    api_secret: pulumi.Input[str] | None = None
    access_token: pulumi.Input[str] | None = None


class BrokerSecrets(Component):
    """Secret `credentials-broker`, which the execution role alone mounts and follows while it runs."""

    token = "trading:credentials:BrokerSecrets"

    def __init__(self, name: str, args: BrokerSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        files = {"api-key": args.api_key, "api-secret": args.api_secret, "access-token": args.access_token}
        Secret(
            f"{name}-keys",
            type="Opaque",
            metadata=metadata(SECRET_NAMES[BROKER_KIND], args.namespace, labels("credentials", BROKER_KIND)),
            data={
                key: pulumi.Output.from_input(value).apply(_base64) for key, value in files.items() if value is not None
            },
            opts=self.child(),
        )
        self.register_outputs({})


def _base64(text: str) -> str:
    return base64.b64encode(text.strip().encode()).decode()
