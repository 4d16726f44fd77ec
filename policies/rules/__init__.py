"""All rules, by their id."""

from collections.abc import Mapping

from policies.kit.rule import Rule
from policies.rules import (
    accounts,
    alertmanager,
    api_versions,
    autoscaling,
    containers,
    disruption,
    images,
    jobs,
    metadata,
    network,
    patroni,
    placement,
    pod_security,
    probes,
    rbac,
    redis,
    resources,
    secrets,
    services,
    storage,
    workloads,
)
from policies.rules.waiver import waiver_rule

FAMILIES: Mapping[str, tuple[Rule, ...]] = {
    "Pod security": pod_security.RULES,
    "Images": images.RULES,
    "Resources": resources.RULES,
    "Containers": containers.RULES,
    "Probes": probes.RULES,
    "Workloads": workloads.RULES,
    "Disruption": disruption.RULES,
    "Autoscaling": autoscaling.RULES,
    "Jobs": jobs.RULES,
    "Storage": storage.RULES,
    "Network": network.RULES,
    "Services": services.RULES,
    "Service accounts": accounts.RULES,
    "Roles": rbac.RULES,
    "Secrets": secrets.RULES,
    "Metadata": metadata.RULES,
    "API versions": api_versions.RULES,
    "Placement": placement.RULES,
    "PostgreSQL": patroni.RULES,
    "Redis": redis.RULES,
    "Alerts": alertmanager.RULES,
}
"""Title of a family to its rules, in the order of the documentation."""

_OWN = {rule.id: rule for family in FAMILIES.values() for rule in family}

RULES: Mapping[str, Rule] = {**_OWN, "waivers": waiver_rule(_OWN)}
