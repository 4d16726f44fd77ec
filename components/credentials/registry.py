"""The pull secret of an image registry that asks for a login."""

import base64
import json
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from components.credentials.args import REGISTRY_SECRET
from components.kit.component import Component
from components.kit.labels import labels
from components.kit.metadata import metadata


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """Login of an image registry.

    Attributes:
        namespace: where the Secret goes.
        server: host name of the registry, with port if it has one.
        username: secret output.
        password: secret output; a token with the right to pull is enough.
    """

    namespace: str
    server: str
    username: pulumi.Input[str]
    password: pulumi.Input[str]


class RegistryLogin(Component):
    """Secret `registry` of type dockerconfigjson, for the pods' imagePullSecrets.

    Attributes:
        secret_name: plain name of the Secret.
    """

    token = "trading:credentials:RegistryLogin"
    secret_name = REGISTRY_SECRET

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        config = pulumi.Output.all(args.username, args.password).apply(
            lambda login: docker_config(args.server, login[0], login[1])
        )
        self.secret = Secret(
            f"{name}-login",
            type="kubernetes.io/dockerconfigjson",
            metadata=metadata(self.secret_name, args.namespace, labels("credentials", "registry")),
            data={".dockerconfigjson": config},
            opts=self.child(),
        )
        self.register_outputs({"secret_name": self.secret_name})


def docker_config(server: str, username: str, password: str) -> str:
    """The base64 text of a Docker client configuration with one login."""
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    config = {"auths": {server: {"username": username, "password": password, "auth": auth}}}
    return base64.b64encode(json.dumps(config, sort_keys=True).encode()).decode()
