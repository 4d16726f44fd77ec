"""The platform: the only place where components meet."""

import pulumi
import pulumi_kubernetes
import pulumi_random

from components.credentials.backup import BackupSecrets, BackupSecretsArgs
from components.credentials.broker import BrokerSecrets, BrokerSecretsArgs
from components.credentials.certificate import Certificate, CertificateArgs
from components.credentials.component import Credentials
from components.credentials.registry import RegistryArgs, RegistryLogin
from components.network.component import Network
from components.postgres.component import Postgres
from components.redis.component import Redis
from components.trading.component import Trading
from stacks.arguments import arguments
from stacks.config import Secrets
from stacks.secrets import asks_for_login, makes_broker_keys, registry_host, tls_keeper
from stacks.sections import StackConfig


def deploy(config: StackConfig, secrets: Secrets, *, prefix: str = "") -> None:
    """Declare everything of one platform.

    Args:
        prefix: of every name in the stack, for a program that declares several platforms, each in its namespace.

    Raises:
        InvalidArgs: before any resource is declared.
    """
    args = arguments(config)
    providers: list[pulumi.ProviderResource] = [
        kubernetes_provider(config, f"{prefix}kubernetes"),
        pulumi_random.Provider(f"{prefix}random"),
    ]

    def options(*after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            providers=providers, protect=config.protect, depends_on=list(after) if after else None
        )

    network = Network(f"{prefix}network", args.network, options())
    credentials = Credentials(f"{prefix}credentials", args.credentials, options(network))
    before: list[pulumi.Resource] = [network, credentials]
    if asks_for_login(config.registry):
        login = RegistryArgs(
            namespace=config.namespace,
            server=registry_host(config.registry),
            username=secrets["registryUsername"],
            password=secrets["registryPassword"],
        )
        before.append(RegistryLogin(f"{prefix}registry", login, options(network)))
    if config.backup is not None:
        given = BackupSecretsArgs(
            namespace=config.namespace,
            passphrase=secrets.get("backupPassphrase"),
            s3_key=secrets.get("backupS3Key"),
            s3_key_secret=secrets.get("backupS3KeySecret"),
        )
        kept = BackupSecrets(f"{prefix}backup-secrets", given, options(network))
        before.append(kept)
        pulumi.export("backupPassphrase", kept.passphrase)
    postgres = Postgres(f"{prefix}postgres", args.postgres, options(*before))
    redis = Redis(f"{prefix}redis", args.redis, options(*before))
    entrance = args.trading.entrance
    if entrance is not None and tls_keeper(config.ingress and config.ingress.given()) == "stack":
        pair = CertificateArgs(
            namespace=config.namespace,
            secret_name=entrance.tls_secret,
            certificate=secrets["tlsCertificate"],
            key=secrets["tlsKey"],
        )
        Certificate(f"{prefix}certificate", pair, options(network))
    if makes_broker_keys(config.broker.given()):
        keys = BrokerSecretsArgs(
            namespace=config.namespace,
            api_key=secrets.get("brokerApiKey"),
            api_secret=secrets.get("brokerApiSecret"),
            access_token=secrets.get("brokerAccessToken"),
        )
        before.append(BrokerSecrets(f"{prefix}broker-secrets", keys, options(network)))
    # the engine waits for its stores anyhow, and its pods must not take up the few operations that the CLI runs at once
    trading = Trading(f"{prefix}trading", args.trading, options(*before, postgres, redis))

    pulumi.export("namespace", config.namespace)
    pulumi.export("apiService", f"{trading.api_service}.{config.namespace}.svc:{trading.api_port}")
    if entrance is not None:
        pulumi.export("apiUrl", f"https://{entrance.host}")
    pulumi.export("apiKey", credentials.current("api", args.credentials))
    pulumi.export("postgresHosts", list(postgres.hosts))
    pulumi.export("redisSentinels", list(redis.sentinels))


def kubernetes_provider(config: StackConfig, name: str) -> pulumi_kubernetes.Provider:
    """The one provider of all Kubernetes objects.

    ConfigMaps and Secrets are updated in place: their names are fixed, and a replacement would take them away from
    under the pods that mount them. The path of a kubeconfig from $KUBECONFIG stays out of the inputs, since it would
    make a change of every run from another machine; the context does not, it says which cluster this is.
    """
    return pulumi_kubernetes.Provider(
        name,
        kubeconfig=config.kubeconfig or None,
        context=config.context or None,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )
