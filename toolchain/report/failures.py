"""Say in one line why the engine gave up, and what to do. Pure."""

import re
from typing import NamedTuple

from toolchain.report.events import Log, plain
from toolchain.report.model import Failure

LOCKED = re.compile(r"currently locked by .*?created by (?P<who>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)", re.DOTALL)
PROTECTED = re.compile(r"because it is protected|marked for protection")
PACK = re.compile(r'policy pack "(?P<pack>[^"]+)" failed to start')
POLICY = re.compile(r"failed to run policy")
URN = re.compile(r"urn:pulumi:[^\s\"'`]+")
ECHO = re.compile(
    r"(preview|update|refresh) failed|resource monitor .*|.*exited with non-zero exit code: .*", re.DOTALL
)
LINES = 12


class Rule(NamedTuple):
    """A message that is known: what it looks like, what it means, the way out; stack and line are filled in."""

    pattern: re.Pattern[str]
    what: str
    fix: str


NO_API = Rule(
    re.compile(r"connection refused|no such host|i/o timeout|unreachable|timed out|was refused", re.IGNORECASE),
    "the Kubernetes API is not reached: {line}",
    "check KUBECONFIG and the context of stack {stack}, or compare manifests without a cluster: --manifests",
)
RULES = (
    Rule(
        re.compile(r"incorrect passphrase|passphrase must be set", re.IGNORECASE),
        "the secrets of stack {stack} cannot be read: the passphrase is missing or wrong",
        "set PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds it",
    ),
    Rule(
        re.compile(r"no stack named '[^']+' found"),
        "stack {stack} is not in this backend",
        "log in to the right one (pulumi login URL), or make it: pulumi stack init {stack}",
    ),
    NO_API,
    Rule(
        re.compile(r"Unauthorized|\b401\b|refused the credentials|certificate (has expired|signed by unknown)"),
        "the Kubernetes API refuses the credentials: {line}",
        "renew the kubeconfig",
    ),
)


def reasons(log: Log) -> list[tuple[str, str]]:
    """(URN or empty, text) of the errors that say why, without those that only say that something failed."""
    return [(urn, text) for urn, text in log.errors if not ECHO.fullmatch(text.strip())]


def explain(stack: str, log: Log, printed: str) -> tuple[Failure, ...]:
    """Why a run failed; at least one failure.

    Args:
        stack: name of the stack.
        log: what the event log holds; empty when the engine did not start.
        printed: what the CLI wrote, for failures before the engine starts.
    """
    texts = reasons(log) or [("", _from_cli(printed))]
    return tuple(dict.fromkeys(_one(stack, urn, text, log) for urn, text in texts))


def unreachable(stack: str, text: str) -> Failure:
    """The API is not reached, though the engine went on without it."""
    return Failure(NO_API.what.format(line=_cut(text)), NO_API.fix.format(stack=stack))


def refused(stack: str, problems: str) -> Failure:
    """The configuration is wrong; each problem brings its own way out."""
    return Failure(f"the configuration of stack {stack} is refused:\n{problems}")


def _from_cli(printed: str) -> str:
    lines = [line for line in plain(printed).splitlines() if line.strip()]
    errors = [index for index, line in enumerate(lines) if line.startswith("error:")]
    chosen = lines[errors[0] :] if errors else lines[-LINES:]
    return "\n".join(chosen[:LINES]).removeprefix("error: ") or "the engine ended without a message"


def _one(stack: str, urn: str, text: str, log: Log) -> Failure:
    if (lock := LOCKED.search(text)) is not None:
        what = f"stack {stack} is locked by {lock['who']} (process {lock['pid']}) since {lock['since']}"
        return Failure(what, f"wait until that has ended; if it is dead: pulumi cancel --stack {stack}")
    if PROTECTED.search(text):
        named = [found.rstrip(".,") for found in URN.findall(text)]
        return _protected(stack, named[0] if named else urn)
    if (pack := PACK.search(text)) is not None:
        why = next((line.strip() for line in reversed(log.output) if line.strip()), "it says nothing")
        return Failure(f"the policy pack {pack['pack']} does not load: {why}", "mend it; nothing was checked")
    if POLICY.search(text):
        # what the exception says may be a value of the object
        where = named_by(urn)
        return Failure(f"a policy ended with an error at {where}", "mend the policy; what comes after was not checked")
    for rule in RULES:
        if rule.pattern.search(text):
            line = next(line.strip() for line in text.splitlines() if rule.pattern.search(line))
            return Failure(rule.what.format(stack=stack, line=_cut(line)), rule.fix.format(stack=stack))
    where = f"{named_by(urn)}: " if urn and "pulumi:pulumi:Stack" not in urn else ""
    return Failure(where + _cut(text))


def _protected(stack: str, urn: str) -> Failure:
    what = f"{named_by(urn)} is protected, and this change would delete or replace it"
    step = f"pulumi state unprotect '{urn}' --stack {stack}"
    return Failure(what, f"take back what forces that; if it is meant, name it in waivers.yaml and run: {step}")


def named_by(urn: str) -> str:
    """`StatefulSet postgres-members-set` of a URN: kind and the program's name."""
    parts = urn.split("::")
    return f"{parts[2].split('$')[-1].split(':')[-1]} {parts[-1]}" if len(parts) > 3 else urn


def _cut(text: str) -> str:
    """The message; of a traceback the last line, where the reason stands; of a long text its beginning."""
    lines = text.strip().splitlines() or [""]
    if "Traceback (most recent call last)" in text:
        return lines[-1]
    return "\n".join([*lines[:LINES], f"… {len(lines) - LINES} more lines"] if len(lines) > LINES else lines)
