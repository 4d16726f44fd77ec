"""Read the configuration of a stack, once, and refuse it as a whole with everything that is wrong with it.

This is the only reader of `pulumi.Config`.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import ValidationError

from components.kit.errors import NOT_SET, InvalidArgs, Problem
from stacks.arguments import arguments
from stacks.explain import problems_of, repaired
from stacks.profiles import filled, profile_problems
from stacks.secrets import SECRET_KEYS, secret_problems
from stacks.sections import StackConfig

LOCAL_STACK = "local"


Secrets = Mapping[str, pulumi.Output[str]]
"""Key to what the user set with `pulumi config set --secret`; never plain in this program."""


def load() -> tuple[StackConfig, Secrets]:
    """The configuration of the stack that the engine runs.

    Raises:
        InvalidArgs: with every problem at once.
    """
    prefix = f"{pulumi.get_project()}:"
    given = {key: text for key, text in CONFIG.get().items() if key.startswith(prefix)}
    secret_keys = {key.removeprefix(prefix) for key in given if is_config_secret(key)}
    raw = {key.removeprefix(prefix): _decoded(key.removeprefix(prefix), text) for key, text in given.items()}
    found = kubeconfig_problems(raw.get("kubeconfig"), raw.get("context"), os.environ)
    config = parse(pulumi.get_stack(), raw, secret_keys, found)
    bag = pulumi.Config()
    return config, {key: bag.require_secret(key) for key in SECRET_KEYS if raw.get(key)}


def parse(
    stack: str, raw: Mapping[str, object], secret_keys: Collection[str], also: Collection[Problem] = ()
) -> StackConfig:
    """The validated configuration.

    Args:
        stack: name of the stack.
        raw: key, without the project's prefix, to value.
        secret_keys: those of the keys whose value is encrypted.
        also: problems found elsewhere, to be told together with these.

    Raises:
        InvalidArgs: with every problem at once: of the shape, of the secrets, of the components' own rules.
    """
    problems = [*secret_problems(stack, raw, secret_keys), *context_problems(stack, raw.get("context")), *also]
    problems += profile_problems(raw)
    plain = {key: value for key, value in filled(raw).items() if key not in SECRET_KEYS}
    config, shape = _validated(plain, secret_keys)
    problems += shape
    if config is not None:
        try:
            arguments(config)
        except InvalidArgs as error:
            problems += error.problems
    if problems or config is None:
        # several components may have found the same, as with the namespace
        raise InvalidArgs(list({str(problem): problem for problem in problems}.values()))
    return config


def _validated(plain: dict[str, object], secret_keys: Collection[str]) -> tuple[StackConfig | None, list[Problem]]:
    """The configuration and the problems of its shape.

    With problems, the configuration is the one that the proposed ways out would give, so that the components' rules can
    be checked in the same run; None where there is no telling.
    """
    try:
        return _model(plain), []
    except ValidationError as error:
        problems = problems_of(error, StackConfig, secret_keys, SECRET_KEYS)
        try:
            return _model(repaired(plain, error)), problems
        except ValidationError:
            return None, problems


def _model(plain: Mapping[str, object]) -> StackConfig:
    # by way of JSON, where pydantic's strict mode tells a number from a text but takes a list for a tuple
    return StackConfig.model_validate_json(json.dumps(plain))


def _decoded(key: str, text: str) -> object:
    """The engine hands over objects and booleans as JSON text, and text as it is."""
    if key in StackConfig.text_keys():
        return text
    try:
        decoded: object = json.loads(text)
    except ValueError:
        return text
    return decoded


def context_problems(stack: str, context: object) -> list[Problem]:
    """Only stack local may take whatever context is the current one."""
    if context or stack == LOCAL_STACK:
        return []
    rule = f"stack {stack} names its cluster, so that it can never be the wrong one"
    return [Problem("context", NOT_SET, rule, f"run: pulumi config set context NAME --stack {stack}")]


def kubeconfig_problems(kubeconfig: object, context: object, env: Mapping[str, str]) -> list[Problem]:
    """The cluster is named by somebody: by the configuration or by $KUBECONFIG."""
    if kubeconfig:
        paths, field, fix = [str(kubeconfig)], "kubeconfig", "run: pulumi config set kubeconfig PATH"
    elif env.get("KUBECONFIG"):
        paths, field, fix = env["KUBECONFIG"].split(os.pathsep), "KUBECONFIG", "make up writes one, or name your own"
    elif not context:
        rule = "no cluster is named"
        return [Problem("KUBECONFIG", NOT_SET, rule, "source .local/env after make up, or export KUBECONFIG=PATH")]
    else:
        return []
    if any(Path(path).expanduser().is_file() for path in paths):
        return []
    return [Problem(field, os.pathsep.join(paths), "there is no such file", fix)]
