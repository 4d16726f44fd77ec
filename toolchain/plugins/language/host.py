"""The language host's calls: what the program needs, how it is installed, checked and run."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import language_pb2 as rpc
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

from toolchain.plugins.language.environment import Environment, without_dependents
from toolchain.plugins.language.install import install_commands
from toolchain.plugins.language.process import Children, end, failure_of, output_of
from toolchain.plugins.language.providers import Provider, providers
from toolchain.plugins.serve import Context, RpcFailure
from toolchain.plugins.values import unmarshal

VERSION: Final = "3.200.0"
"""The CLI release that this host belongs to."""

MESSAGE_SHOWN: Final = 32
"""Exit code of a program that has told the user what is wrong (pulumi-language-python-exec)."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs Python programs for the engine at `engine` through the script `executor`."""

    def __init__(self, engine: str, executor: Path, tracing: str, children: Children) -> None:
        self._engine = engine
        self._executor = executor
        self._tracing = tracing
        self._children = children

    def Handshake(self, request: rpc.LanguageHandshakeRequest, context: Context) -> rpc.LanguageHandshakeResponse:
        """Learn the engine's address, where the host was not started by it."""
        self._engine = request.engine_address or self._engine
        return rpc.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Empty, context: Context) -> plugin_pb2.PluginInfo:
        """The host's version."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(
        self, request: rpc.GetRequiredPackagesRequest, context: Context
    ) -> rpc.GetRequiredPackagesResponse:
        """The providers that the installed packages stand for; makes the virtual environment if there is none."""
        environment = _environment(request.info)
        if environment.virtualenv is not None and not environment.virtualenv.exists():
            for _ in self._install(environment, Path(request.info.program_directory)):
                pass
        found = providers(environment.packages())
        return rpc.GetRequiredPackagesResponse(packages=[_package_message(provider) for provider in found])

    def GetRequiredPlugins(
        self, request: rpc.GetRequiredPluginsRequest, context: Context
    ) -> rpc.GetRequiredPluginsResponse:
        """The same for engines that do not know packages."""
        found = providers(_environment(request.info).packages())
        return rpc.GetRequiredPluginsResponse(
            plugins=[
                plugin_pb2.PluginDependency(name=p.name, kind="resource", version=p.version, server=p.server)
                for p in found
            ]
        )

    def GetProgramDependencies(
        self, request: rpc.GetProgramDependenciesRequest, context: Context
    ) -> rpc.GetProgramDependenciesResponse:
        """The installed packages; without `transitiveDependencies` those that no other one needs."""
        packages = _environment(request.info).packages()
        if not request.transitiveDependencies:
            packages = without_dependents(packages)
        return rpc.GetProgramDependenciesResponse(
            dependencies=[rpc.DependencyInfo(name=package.name, version=package.version) for package in packages]
        )

    def About(self, request: rpc.AboutRequest, context: Context) -> rpc.AboutResponse:
        """The interpreter and its version, for `pulumi about`."""
        environment = _environment(request.info)
        version = environment.output("--version").removeprefix("Python ")
        return rpc.AboutResponse(executable=environment.python, version=version)

    def InstallDependencies(
        self, request: rpc.InstallDependenciesRequest, context: Context
    ) -> Iterator[rpc.InstallDependenciesResponse]:
        """Install what the program needs, and send the installer's output."""
        environment = _environment(request.info, plugin=request.is_plugin)
        yield rpc.InstallDependenciesResponse(stdout=b"Installing dependencies...\n\n")
        for stream, chunk in self._install(environment, Path(request.info.program_directory)):
            yield rpc.InstallDependenciesResponse(**{stream: chunk})
        yield rpc.InstallDependenciesResponse(stdout=b"Finished installing dependencies\n\n")

    def _install(self, environment: Environment, program: Path) -> Iterator[tuple[str, bytes]]:
        variables = environment.variables() | {"UV_PROJECT_ENVIRONMENT": str(environment.virtualenv or "")}
        for command in install_commands(environment, program):
            child = self._children.start(command, env=variables, cwd=program, piped=True)
            yield from output_of(child)
            if code := self._children.wait(child):
                raise RpcFailure(f"installing dependencies: {' '.join(command)}: {failure_of(code)}")

    def RuntimeOptionsPrompts(self, request: rpc.RuntimeOptionsRequest, context: Context) -> rpc.RuntimeOptionsResponse:
        """What `pulumi new` asks: the toolchain, and for pip the virtual environment."""
        options = unmarshal(request.info.options)
        if "toolchain" not in options:
            return rpc.RuntimeOptionsResponse(prompts=[_prompt("toolchain", "The toolchain to use", "pip", "uv")])
        if options["toolchain"] == "pip" and "virtualenv" not in options:
            return rpc.RuntimeOptionsResponse(prompts=[_prompt("virtualenv", "The virtualenv to use", "venv")])
        return rpc.RuntimeOptionsResponse()

    def Run(self, request: rpc.RunRequest, context: Context) -> rpc.RunResponse:
        """Check the types if asked to, run the program, and say how it ended."""
        if request.attach_debugger:
            return rpc.RunResponse(error="attaching a debugger needs Pulumi's own language host; run without it")
        environment = _environment(request.info)
        if environment.typechecker:
            self._check_types(environment, Path(request.info.program_directory), context)
        variables = environment.variables() | {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        code = self._run([environment.python, str(self._executor), *self._arguments(request)], variables, None, context)
        if code == MESSAGE_SHOWN:
            return rpc.RunResponse(bail=True)
        return rpc.RunResponse(error=failure_of(code) if code else "")

    def _arguments(self, request: rpc.RunRequest) -> list[str]:
        named = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "root_directory": request.info.root_directory,
            "stack": request.stack,
            "pwd": request.pwd,
            "dry_run": "true" if request.dryRun else "false",
            "parallel": str(request.parallel),
            "tracing": self._tracing,
            "organization": request.organization,
        }
        flags = [text for name, value in named.items() if value for text in (f"--{name}", value)]
        return [*flags, request.info.entry_point, *request.args]

    def _check_types(self, environment: Environment, program: Path, context: Context) -> None:
        checker = environment.typechecker
        if checker not in {package.key for package in environment.packages()}:
            raise RpcFailure(
                f"The typechecker option is set to {checker}, but {checker} is not installed. "
                f"Please add {checker} to the dependencies and install them"
            )
        command = [environment.python, "-m", checker]
        if checker == "mypy" and environment.virtualenv is not None:
            command += ["--exclude", os.path.relpath(environment.virtualenv, program)]
        code = self._run([*command, str(program)], environment.variables(), program, context)
        if code:
            raise RpcFailure(f"{checker} failed: {failure_of(code).removeprefix('program ')}")

    def _run(self, command: list[str], env: dict[str, str], cwd: Path | None, context: Context) -> int:
        child = self._children.start(command, env=env, cwd=cwd)
        if not context.add_callback(lambda: end(child)):
            end(child)  # the call was cancelled meanwhile
        return self._children.wait(child)

    def RunPlugin(self, request: rpc.RunPluginRequest, context: Context) -> Iterator[rpc.RunPluginResponse]:
        """Run a plugin that is a Python program, and send its output and exit code."""
        environment = _environment(request.info, plugin=True)
        variables = environment.variables() | dict(pair.split("=", 1) for pair in request.env)
        command = [environment.python, request.info.program_directory, *request.args]
        child = self._children.start(command, env=variables, cwd=Path(request.pwd), piped=True)
        if not context.add_callback(lambda: end(child)):
            end(child)
        for stream, chunk in output_of(child):
            yield rpc.RunPluginResponse(stdout=chunk) if stream == "stdout" else rpc.RunPluginResponse(stderr=chunk)
        yield rpc.RunPluginResponse(exitcode=self._children.wait(child))

    def GenerateProgram(self, request: rpc.GenerateProgramRequest, context: Context) -> rpc.GenerateProgramResponse:
        """Writing programs from other sources is the official host's; `pulumi import` does without."""
        raise RpcFailure(
            "writing Python code needs Pulumi's own language host; a finished import is in the state: add the resource "
            "to the program by hand, or run pulumi import with --generate-code=false",
            code=grpc.StatusCode.UNIMPLEMENTED,
        )

    def Cancel(self, request: Empty, context: Context) -> Empty:
        """End all programs."""
        self._children.close()
        return Empty()


def _environment(info: rpc.ProgramInfo, *, plugin: bool = False) -> Environment:
    options = unmarshal(info.options)
    if plugin and options.get("toolchain", "pip") == "pip":
        # Plugins never run in the Python that happens to be on PATH.
        options.setdefault("virtualenv", "venv")
    return Environment.of(info.root_directory, options)


def _package_message(provider: Provider) -> plugin_pb2.PackageDependency:
    message = plugin_pb2.PackageDependency(
        name=provider.name, kind="resource", version=provider.version, server=provider.server
    )
    if provider.parameter_name:
        message.parameterization.name = provider.parameter_name
        message.parameterization.version = provider.parameter_version
        message.parameterization.value = provider.parameter
    return message


def _prompt(key: str, description: str, *choices: str) -> rpc.RuntimeOptionPrompt:
    values = [
        rpc.RuntimeOptionPrompt.RuntimeOptionValue(
            promptType=rpc.RuntimeOptionPrompt.STRING, stringValue=choice, displayName=choice
        )
        for choice in choices
    ]
    return rpc.RuntimeOptionPrompt(
        key=key,
        description=description,
        promptType=rpc.RuntimeOptionPrompt.STRING,
        choices=values,
        default=values[0],
    )
