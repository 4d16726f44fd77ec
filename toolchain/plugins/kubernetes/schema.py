"""A package schema that names every resource type, for commands such as `pulumi import`.

The official schema has the type of each field, in tens of megabytes; here a field of an object is of any type.
"""

import importlib.util
import json
import re
from pathlib import Path
from typing import Final

SDK: Final = "pulumi_kubernetes"
TOKEN: Final = re.compile(r'"(kubernetes:[^":/]+/[^":/]+:\w+)"')

# fmt: off
FIELDS: Final = (
    "apiVersion", "kind", "metadata", "spec", "data", "binaryData", "stringData", "immutable", "type", "rules",
    "roleRef", "subjects", "aggregationRule", "automountServiceAccountToken", "imagePullSecrets", "secrets",
    "provisioner", "parameters", "reclaimPolicy", "volumeBindingMode", "allowVolumeExpansion", "allowedTopologies",
    "mountOptions", "value", "globalDefault", "description", "preemptionPolicy", "handler", "overhead", "scheduling",
    "webhooks", "addressType", "endpoints", "ports", "subsets", "driverName", "template", "revision",
)
# fmt: on
"""The fields at the top of an object of any built-in kind, without its status."""


def tokens() -> list[str]:
    """The resource types of the SDK that is installed."""
    found = importlib.util.find_spec(SDK)
    if found is None or found.origin is None:
        return []
    return sorted(set(TOKEN.findall(Path(found.origin).read_text())))


def schema(version: str) -> str:
    """The schema as JSON."""
    anything = {"$ref": "pulumi.json#/Any"}
    resource = {"inputProperties": dict.fromkeys(FIELDS, anything), "properties": dict.fromkeys(FIELDS, anything)}
    package = {
        "name": "kubernetes",
        "version": version,
        "description": "Kubernetes objects.",
        "config": {},
        "provider": {"description": "The provider of the kubernetes package."},
        "resources": dict.fromkeys(tokens(), resource),
    }
    return json.dumps(package)
