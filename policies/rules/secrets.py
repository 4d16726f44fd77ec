"""Secrets: they stand in no plain text, they can rotate, and they do."""

import re
from collections.abc import Iterable, Iterator
from datetime import date

from policies.kit.objects import WORKLOADS, Object, containers, whole
from policies.kit.rule import Context, Enforcement, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields

MASK = "[secret]"
EPOCH = "trading-platform/credential-epoch"
GENERATED = ("random:RandomBytes", "random:RandomPassword")
SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})"),
    "a GitLab token": re.compile(r"\bglpat-[\w-]{20}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[\w-]{10,}"),
    "a signed token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\."),
    "a URL with a password": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/:@$<{\[]+@"),
}
NAMED = re.compile(
    r"""(?imx) (?:^|[\s"'{,-]) [\w.-]*? (?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key) ["']?
    \s*[:=]\s* ["']? (?P<value>[^\s"'#,}]+)"""
)
REDIS = re.compile(r"(?im)^\s*(?:requirepass|masterauth|sentinel\s+auth-pass\s+\S+)\s+(?P<value>\S+)")
SECRET_NAME = re.compile(r"(?i)(passw(or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key)$")
NO_SECRET = re.compile(r"(?i)(/.*|[$<{\[|>].*|true|false|null|none|yes|no|on|off|\d{1,6})?")


def shape(text: str) -> str | None:
    """What secret the text looks like, or holds; None for none."""
    for what, pattern in SHAPES.items():
        if pattern.search(text):
            return what
    for pattern in (NAMED, REDIS):
        if any(not NO_SECRET.fullmatch(match["value"]) for match in pattern.finditer(text)):
            return "a password or key by its name"
    return None


def texts(subject: Fields) -> Iterator[tuple[str, str]]:
    """Path and text of what a container is told, or of a ConfigMap's data and of annotations."""
    for variable in subject.each("env"):
        if isinstance(value := variable.get("value"), str):
            secret_name = SECRET_NAME.search(str(variable["name"])) is not None
            yield variable.at("value"), f"password={value}" if secret_name and value else value
    for field in ("command", "args"):
        words = [str(word) for word in subject.list(field)]
        for index, word in enumerate(words):
            before = words[index - 1] if index else ""
            follows = before.startswith("-") and "=" not in before and SECRET_NAME.search(before)
            yield f"{subject.at(field)}[{index}]", f"password={word}" if follows else word
    for holder in (subject.sub("data"), subject.sub("metadata", "annotations")):
        for key in holder:
            if isinstance(value := holder[key], str):
                yield holder.at(key), f"password={value}" if SECRET_NAME.search(key) else value


def told(obj: Object) -> Iterable[Fields]:
    """The parts of an object that hold text for everybody to read; a Secret's data is not among them."""
    if obj.kind == "Secret":
        return [Fields({"metadata": {"annotations": obj.values.sub("metadata").get("annotations") or {}}})]
    return [*whole(obj), *containers(obj)] if obj.kind in WORKLOADS else whole(obj)


def _plain_sight(subject: Fields, _: Context) -> Found:
    for path, text in texts(subject):
        if what := shape(text):
            yield Finding(path, f"looks like {what}")


def _sealed(secret: Fields, context: Context) -> Found:
    options = context.object.options
    if options is not None:
        if missing := {"data", "stringData"} - options.secret_outputs:
            yield Finding(", ".join(sorted(missing)), "is not marked secret, so the state holds it in plain text")
        return
    for field in ("data", "stringData"):
        for key in (values := secret.sub(field)):
            if MASK not in str(values[key]):
                yield Finding(values.at(key), "stands in a file in plain text")


def _keepers(credential: Fields, _: Context) -> Found:
    if not credential.sub("keepers"):
        yield Finding("keepers", "is not set, so nothing can ever make this value anew")


def _strength(credential: Fields, context: Context) -> Found:
    least = context.settings["length"]
    if (credential.get("length") or 0) < least:
        yield Finding("length", f"is below {least}")


def epoch_of(obj: Object) -> str | None:
    """The epoch that a Secret is marked with, as text."""
    given = obj.annotations.get(EPOCH)
    return None if given is None else str(given)


def _epoch(secret: Fields, context: Context) -> Found:
    epoch = epoch_of(context.object)
    if epoch is not None and not (epoch.isdecimal() and int(epoch) >= 1):
        yield Finding(context.object.annotations.at(EPOCH), f"is {epoch!r}, not a whole number from 1 on")


def _age(secret: Fields, context: Context) -> Found:
    """The configuration says on which day an epoch began; the epoch says that the day is of this generation."""
    days, epoch = context.settings["max_age_days"], epoch_of(context.object)
    if not days or epoch is None:
        return
    path = context.object.annotations.at(EPOCH)
    began = context.settings["began"].get(context.object.name, {})
    if began.get("epoch") != int(epoch):
        yield Finding(path, f"the configuration knows no day on which epoch {epoch} of this Secret began")
    elif (context.today - date.fromisoformat(began["on"])).days > days:
        yield Finding(path, f"epoch {epoch} began on {began['on']}, more than {days} days ago")


RULES = (
    Rule(
        id="secret-in-plain-sight",
        title="No password, key or token stands in env, arguments, annotations or ConfigMaps",
        severity=Severity.CRITICAL,
        remediation="put it into a Secret, mount that as a file, and change the value: it has been seen",
        kinds=(*WORKLOADS, "ConfigMap", "Ingress", "Secret", "Service", "ServiceAccount"),
        each=told,
        check=_plain_sight,
        frameworks=("NSA authentication and authorization",),
    ),
    Rule(
        id="secret-sealed",
        title="Values of a Secret are secret in Pulumi's state, and in no file in plain text",
        severity=Severity.CRITICAL,
        remediation="declare it by pulumi_kubernetes.core.v1.Secret, or name data and stringData in "
        "additional_secret_outputs; keep manifests with values out of files",
        kinds=("Secret",),
        check=_sealed,
    ),
    Rule(
        id="credential-keepers",
        title="A generated credential can rotate",
        severity=Severity.HIGH,
        remediation="give keepers a value that rotation changes, as an epoch",
        kinds=GENERATED,
        check=_keepers,
        engine_only=True,
    ),
    Rule(
        id="credential-length",
        title="A generated credential is long enough never to be guessed",
        severity=Severity.HIGH,
        remediation="set length: 32",
        kinds=GENERATED,
        check=_strength,
        engine_only=True,
        settings={"length": Setting(24, "least characters, or bytes")},
    ),
    Rule(
        id="credential-epoch",
        title="A credential's epoch is a whole number from 1 on",
        severity=Severity.HIGH,
        remediation="set the kind's epoch in Pulumi.<stack>.yaml",
        kinds=("Secret",),
        check=_epoch,
    ),
    Rule(
        id="credential-age",
        title="A credential is younger than its rotation interval",
        severity=Severity.MEDIUM,
        remediation="raise the kind's epoch, and note the epoch with its day under `began`",
        kinds=("Secret",),
        check=_age,
        enforcement=Enforcement.ADVISORY,
        settings={
            "max_age_days": Setting(0, "rotation interval in days; 0 asks for none"),
            "began": Setting({}, "name of the Secret to {epoch, on: YYYY-MM-DD}"),
        },
    ),
)
