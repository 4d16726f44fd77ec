"""One case a rule: how it fails, and which field it cannot do without."""

from policies.kit.objects import Options
from tests.policies.stage import GONE, Case, replacing

WEB, DB, POD = "Deployment/web", "StatefulSet/db", "spec/template/spec"
C = f"{POD}/containers/0"
SECURITY = f"{C}/securityContext"
LABELS = "spec/template/metadata/labels"
LOOSE = Options("pulumi:pulumi:Stack")

POD_SECURITY = (
    Case("host-namespaces", WEB, {f"{POD}/hostPID": True}, f"{POD}/hostNetwork", "hostPID"),
    Case("volume-types", WEB, {f"{POD}/volumes/0": {"name": "n", "hostPath": {}}}, f"{POD}/volumes", "volumes[0]"),
    Case("privileged", WEB, {f"{SECURITY}/privileged": True}, f"{SECURITY}/privileged", "privileged"),
    Case("host-ports", WEB, {f"{C}/ports/0/hostPort": 80}, f"{C}/ports/0/hostPort", "ports[0].hostPort"),
    Case(
        "privilege-escalation",
        WEB,
        {f"{SECURITY}/allowPrivilegeEscalation": GONE},
        f"{SECURITY}/allowPrivilegeEscalation",
        "allowPrivilegeEscalation",
    ),
    Case("non-root", WEB, {f"{POD}/securityContext/runAsUser": 0}, f"{POD}/securityContext/runAsNonRoot", "runAsUser"),
    Case("capabilities", WEB, {f"{SECURITY}/capabilities/add": ["SYS_ADMIN"]}, f"{SECURITY}/capabilities/drop", "add"),
    Case(
        "seccomp",
        WEB,
        {f"{POD}/securityContext/seccompProfile": GONE},
        f"{POD}/securityContext/seccompProfile",
        "containers[0].securityContext.seccompProfile",
    ),
    Case(
        "sysctls",
        WEB,
        {f"{POD}/securityContext/sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
        f"{POD}/securityContext/sysctls",
        "sysctls",
    ),
    Case(
        "read-only-root",
        WEB,
        {f"{SECURITY}/readOnlyRootFilesystem": False},
        f"{SECURITY}/readOnlyRootFilesystem",
        "readOnlyRootFilesystem",
    ),
    Case("high-user", WEB, {f"{POD}/securityContext/runAsGroup": 1}, f"{POD}/securityContext/runAsUser", "runAsGroup"),
)

CONTAINERS = (
    Case(
        "image-registry",
        WEB,
        {f"{C}/image": "nginx:1"},
        f"{C}/image",
        "image",
        settings={"registries": ["registry.example.com/shop"]},
    ),
    Case("image-latest", WEB, {f"{C}/image": "registry.example.com:5000/web"}, f"{C}/image", "image"),
    Case("image-immutable", WEB, {f"{C}/image": "registry.example.com/web:v1"}, f"{C}/image", "image"),
    Case(
        "image-pull-policy",
        WEB,
        {f"{C}/image": "registry.example.com/web:v1"},
        f"{C}/imagePullPolicy",
        "imagePullPolicy",
    ),
    Case("resource-requests", WEB, {f"{C}/resources/requests/cpu": GONE}, f"{C}/resources/requests", "requests.cpu"),
    Case("memory-limit", WEB, {f"{C}/resources/limits/memory": "1Gi"}, f"{C}/resources/limits/memory", "memory"),
    Case("cpu-limit", WEB, {f"{C}/resources/limits/cpu": GONE}, f"{C}/resources/limits/cpu", "limits.cpu"),
    Case("empty-dir-size", WEB, {f"{POD}/volumes/0/emptyDir": {}}, f"{POD}/volumes/0/emptyDir/sizeLimit", "sizeLimit"),
    Case(
        "ephemeral-storage",
        WEB,
        {f"{C}/resources/limits/ephemeral-storage": GONE},
        f"{C}/resources/limits/ephemeral-storage",
        "limits.ephemeral-storage",
    ),
    Case("env-duplicates", WEB, {f"{C}/env": [{"name": "A"}, {"name": "A"}]}, f"{C}/env/0/name", "env"),
    Case(
        "env-from-secret",
        WEB,
        {f"{C}/env/0/valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        f"{C}/env/0/valueFrom",
        "secretKeyRef",
    ),
    Case("sub-path", WEB, {f"{C}/volumeMounts/1/subPath": "a"}, f"{C}/volumeMounts/1/subPath", "subPath"),
    Case(
        "secret-mode",
        WEB,
        {f"{POD}/volumes/1/secret/defaultMode": GONE},
        f"{POD}/volumes/1/secret/defaultMode",
        "defaultMode",
    ),
    Case("container-ports", WEB, {f"{C}/ports/0/name": GONE}, f"{C}/ports/0/containerPort", "name"),
    Case(
        "grace-period",
        DB,
        {f"{POD}/terminationGracePeriodSeconds": 10},
        f"{POD}/terminationGracePeriodSeconds",
        "terminationGracePeriodSeconds",
    ),
    Case("liveness-probe", WEB, {f"{C}/livenessProbe": GONE}, f"{C}/livenessProbe", "livenessProbe"),
    Case("readiness-probe", WEB, {f"{C}/readinessProbe": GONE}, f"{C}/readinessProbe", "containers"),
    Case(
        "probes-differ",
        WEB,
        {f"{C}/livenessProbe/httpGet/path": "/ready"},
        f"{C}/livenessProbe/httpGet/path",
        "readinessProbe",
    ),
    Case("probe-ports", WEB, {f"{C}/livenessProbe/httpGet/port": "htpp"}, f"{C}/livenessProbe/httpGet/port", "port"),
)

WORKLOADS = (
    Case("bare-pod", "Pod/static", {"metadata/ownerReferences": GONE}, "metadata/ownerReferences", "kind"),
    Case("replica-minimum", WEB, {"spec/replicas": 1}, "spec/replicas", "spec.replicas"),
    Case("update-strategy", WEB, {"spec/strategy/type": "Recreate"}, "spec/strategy/type", "type"),
    Case("anti-affinity", WEB, {f"{POD}/affinity": GONE}, f"{POD}/affinity/podAntiAffinity", "podAntiAffinity"),
    Case(
        "zone-spread",
        WEB,
        {f"{POD}/topologySpreadConstraints": GONE},
        f"{POD}/topologySpreadConstraints/0/topologyKey",
        "topologySpreadConstraints",
    ),
    Case("selector-matches", WEB, {f"{LABELS}/app": "wbe"}, f"{LABELS}/app", "spec.selector"),
    Case("statefulset-service", DB, {"spec/serviceName": "web"}, "spec/serviceName", "serviceName"),
    Case("budget-coverage", WEB, {f"{LABELS}/app": "wbe"}, f"{LABELS}/app", "labels"),
    Case("budget-blocks", "PodDisruptionBudget/db", {"spec/minAvailable": 3}, "spec/minAvailable", "minAvailable"),
    Case(
        "budget-selects",
        "PodDisruptionBudget/web",
        {"spec/selector/matchLabels/app": "wbe"},
        "spec/selector",
        "selector",
    ),
    Case(
        "autoscaler-range", "HorizontalPodAutoscaler/worker", {"spec/maxReplicas": 2}, "spec/maxReplicas", "maxReplicas"
    ),
    Case("autoscaler-target", "Deployment/worker", {"spec/replicas": 3}, "spec/replicas", "scaleTargetRef.name"),
    Case("job-deadline", "Job/report-once", {"spec/activeDeadlineSeconds": GONE}, "spec/activeDeadlineSeconds"),
    Case("job-retries", "Job/report-once", {"spec/backoffLimit": 60}, "spec/backoffLimit", "backoffLimit"),
    Case("job-leftovers", "Job/report-once", {"spec/ttlSecondsAfterFinished": GONE}, "spec/ttlSecondsAfterFinished"),
    Case("cronjob-concurrency", "CronJob/report", {"spec/concurrencyPolicy": GONE}, "spec/concurrencyPolicy"),
    Case("cronjob-deadline", "CronJob/report", {"spec/startingDeadlineSeconds": GONE}, "spec/startingDeadlineSeconds"),
    Case(
        "cronjob-history",
        "CronJob/report",
        {"spec/failedJobsHistoryLimit": 50},
        "spec/failedJobsHistoryLimit",
        "failedJobsHistoryLimit",
    ),
)

CLAIM = "PersistentVolumeClaim/reports"
RETENTION = "spec/persistentVolumeClaimRetentionPolicy"
STORAGE = (
    Case("storage-class", CLAIM, {"spec/storageClassName": GONE}, "spec/storageClassName", "storageClassName"),
    Case("storage-size", CLAIM, {"spec/resources/requests/storage": "9Ti"}, "spec/resources/requests/storage"),
    Case("access-mode", CLAIM, {"spec/accessModes": ["ReadWriteMany"]}, "spec/accessModes/0", "accessModes"),
    Case("volume-retention", DB, {f"{RETENTION}/whenDeleted": "Delete"}, f"{RETENTION}/whenScaled", "whenDeleted"),
)

POLICY, DENY, INGRESS = "NetworkPolicy/web", "NetworkPolicy/deny-all", "Ingress/web"
NETWORK = (
    Case("network-policy-coverage", DENY, {"spec/policyTypes": ["Ingress"]}, "spec/podSelector", "labels"),
    Case("default-deny", DENY, {"spec/egress": [{}]}, "spec/egress", "metadata.name"),
    Case(
        "network-policy-selects", POLICY, {"spec/podSelector/matchLabels/app": "x"}, "spec/podSelector", "podSelector"
    ),
    Case("network-policy-open", POLICY, {"spec/ingress": [{}]}, "spec/ingress/0/ports", "ingress[0]"),
    Case("service-type", "Service/web", {"spec/type": "NodePort"}, "spec/type", "type"),
    Case("external-ips", "Service/web", {"spec/externalIPs": ["8.8.8.8"]}, "spec/externalIPs", "externalIPs"),
    Case("service-selects", "Service/web", {"spec/selector/app": "wbe"}, "spec/selector/app", "selector"),
    Case("service-ports", "Service/web", {"spec/ports/0/targetPort": "htpp"}, "spec/ports/0/targetPort", "targetPort"),
    Case("ingress-tls", INGRESS, {"spec/tls": GONE}, "spec/rules/0/host", "rules[0].host"),
    Case(
        "ingress-backends",
        INGRESS,
        {"spec/rules/0/http/paths/0/backend/service/name": "wbe"},
        "spec/rules/0/http/paths/0/backend",
        "service.name",
    ),
    Case(
        "ingress-snippets",
        INGRESS,
        {"metadata/annotations/nginx.ingress.kubernetes.io~1server-snippet": "return 200;"},
        "metadata/annotations",
        'server-snippet"]',
    ),
)

ROLE, BINDING, VERBS = "Role/db", "RoleBinding/db", "rules/0/verbs"
ACCESS = (
    Case("default-account", WEB, {f"{POD}/serviceAccountName": GONE}, f"{POD}/serviceAccountName"),
    Case(
        "account-automount",
        "ServiceAccount/web",
        {"automountServiceAccountToken": GONE},
        "automountServiceAccountToken",
    ),
    Case("account-token", BINDING, {"subjects": []}, "subjects", "automountServiceAccountToken"),
    Case("rbac-wildcards", ROLE, {VERBS: ["*"]}, VERBS, "verbs"),
    Case("rbac-secrets", ROLE, {"rules/0/resources": ["secrets"]}, "rules/0/resources/0"),
    Case("rbac-escalation", ROLE, {VERBS: ["impersonate"]}, VERBS, "verbs"),
    Case("rbac-powers", ROLE, {"rules/0/resources": ["persistentvolumes"]}, "rules/0/resources/0", "resources"),
    Case("rbac-shells", ROLE, {"rules/0/resources": ["pods/exec"]}, "rules/0/resources/0", "resources"),
    Case("rbac-create-pods", ROLE, {"rules/0/resources": ["pods"], VERBS: ["create"]}, VERBS, "verbs"),
    Case("cluster-admin", BINDING, {"roleRef/name": "cluster-admin"}, "roleRef/name", "roleRef.name"),
    Case("binding-subjects", BINDING, {"subjects/0/name": "default"}, "subjects/0/name", "subjects[0].name"),
)

SECRET, PASSWORD = "Secret/credentials", "random:RandomPassword/password"
EPOCH = "metadata/annotations/trading-platform~1credential-epoch"
SECRETS = (
    Case("secret-in-plain-sight", WEB, {f"{C}/env/0": {"name": "DB_PASSWORD", "value": "hunter2"}}, f"{C}/env/0/value"),
    Case(
        "secret-sealed", SECRET, {}, options=Options("trading:a:A", True), always="reads the resource's options alone"
    ),
    Case("credential-keepers", PASSWORD, {"keepers": GONE}, "keepers", "keepers"),
    Case("credential-length", PASSWORD, {"length": 8}, "length", "length"),
    Case("credential-epoch", SECRET, {EPOCH: "0"}, EPOCH, 'credential-epoch"]'),
    Case(
        "credential-age",
        SECRET,
        {EPOCH: "3"},
        EPOCH,
        'credential-epoch"]',
        settings={"max_age_days": 90, "began": {"credentials": {"epoch": 2, "on": "2026-01-01"}}},
    ),
)

BUDGET = "PodDisruptionBudget/web"
NOTES = "metadata/annotations"
METADATA = (
    Case("required-labels", WEB, {"metadata/labels/app.kubernetes.io~1part-of": GONE}, "metadata/labels", 'part-of"]'),
    Case(
        "namespace-owner", "Namespace/shop", {"metadata/labels/owner": ""}, "metadata/labels", settings={"key": "owner"}
    ),
    Case("system-namespace", WEB, {"metadata/namespace": GONE}, "metadata/namespace", "namespace"),
    Case(
        "namespace-pod-security",
        "Namespace/shop",
        {"metadata/labels/pod-security.kubernetes.io~1enforce": "baseline"},
        "metadata/labels",
        'enforce"]',
    ),
    Case(
        "namespace-quota", "ResourceQuota/quota", {"metadata/namespace": "other"}, "metadata/namespace", "metadata.name"
    ),
    Case(
        "namespace-limits", "LimitRange/limits", {"metadata/namespace": "other"}, "metadata/namespace", "metadata.name"
    ),
    Case("unique-objects", "ConfigMap/redis", {"metadata/name": "patroni"}, "metadata/namespace", "metadata.name"),
    Case("configmap-size", "ConfigMap/redis", {"data/big": "x" * 600_000}, "data/redis.conf", "data"),
    Case(
        "skip-await", WEB, {f"{NOTES}/pulumi.com~1skipAwait": "true"}, f"{NOTES}/pulumi.com~1skipAwait", 'skipAwait"]'
    ),
    Case("patch-force", WEB, {f"{NOTES}/pulumi.com~1patchForce": "true"}, NOTES, 'patchForce"]'),
    Case("removed-api", BUDGET, {"apiVersion": "policy/v1beta1"}, "apiVersion", "apiVersion"),
    Case("stable-api", "CronJob/report", {"apiVersion": "batch/v2alpha1"}, "apiVersion", "apiVersion"),
    Case("component-parent", DB, {}, options=LOOSE, always="reads the resource's options alone"),
    Case("protect-stateful", DB, {}, options=LOOSE, always="reads the resource's options alone"),
    Case("waivers", WEB, {f"{NOTES}/policies.trading~1waive": "privileged: why not"}, NOTES, 'waive"]'),
)

PATRONI, REDIS, ALERTS = "ConfigMap/patroni", "ConfigMap/redis", "ConfigMap/alertmanager"
DYNAMIC, SERVER, SENTINEL, ALERTING = (
    "data/dynamic.yaml",
    "data/redis.conf",
    "data/sentinel.conf",
    "data/alertmanager.yml",
)
DATA = (
    Case("patroni-timing", PATRONI, {DYNAMIC: replacing("ttl: 20", "ttl: 14")}, DYNAMIC, '"].ttl'),
    Case("patroni-recovery", PATRONI, {DYNAMIC: replacing("start_timeout: 30", "start_timeout: 300")}, DYNAMIC),
    Case("patroni-durability", PATRONI, {DYNAMIC: replacing("quorum", "'off'")}, DYNAMIC, "synchronous_mode"),
    Case("postgres-durability", PATRONI, {DYNAMIC: replacing('"on"', '"off"')}, DYNAMIC, "fsync"),
    Case("patroni-members", DB, {"spec/replicas": 2}, "spec/replicas"),
    Case("redis-durability", REDIS, {SERVER: replacing("appendonly yes", "appendonly no")}, SERVER, "appendonly"),
    Case("redis-memory", REDIS, {SERVER: replacing("64mb", "100mb")}, SERVER, "maxmemory"),
    Case("sentinel-failover", REDIS, {SENTINEL: replacing("4000", "400")}, SENTINEL, 'down-after-milliseconds"]'),
    Case("sentinel-quorum", DB, {f"{C}/env/1/value": "1"}, f"{C}/env/1/value", "env[1].value"),
    Case("alert-receivers", ALERTS, {ALERTING: replacing(', webhook_configs: [{url: "http://pager/"}]', "")}, ALERTING),
    Case("alert-routes", ALERTS, {ALERTING: replacing("receiver: mail", "receiver: nobody")}, ALERTING, "receiver"),
)

CASES = (
    *POD_SECURITY,
    *CONTAINERS,
    *WORKLOADS,
    *STORAGE,
    *NETWORK,
    *ACCESS,
    *SECRETS,
    *METADATA,
    *DATA,
)
