"""What Pulumi knows and a manifest does not: whose child a resource is, and whether it is protected."""

from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields

STATEFUL = ("PersistentVolumeClaim", "Secret", "StatefulSet")


def _parent(_: Fields, context: Context) -> Found:
    options, prefixes = context.object.options, context.settings["parents"]
    if options and not options.parent.startswith(prefixes):
        yield Finding("parent", f"is {options.parent or 'the stack'}, not a component of {', '.join(prefixes)}")


def _protect(_: Fields, context: Context) -> Found:
    options = context.object.options
    if context.settings["required"] and options and not options.protect:
        yield Finding("protect", "is not set, so a renamed or forgotten resource deletes it")


RULES = (
    Rule(
        id="component-parent",
        title="Stateful kinds are children of a component, never loose in a program",
        severity=Severity.HIGH,
        remediation="declare it in a component: there its budget, policies and rotation come along",
        kinds=STATEFUL,
        check=_parent,
        engine_only=True,
        settings={"parents": Setting(("trading:",), "prefixes of the components' types")},
    ),
    Rule(
        id="protect-stateful",
        title="Pulumi refuses to delete what holds data",
        severity=Severity.HIGH,
        remediation="set protect on the component, or in the stack's configuration",
        kinds=("Namespace", *STATEFUL),
        check=_protect,
        engine_only=True,
        settings={"required": Setting(True, "whether protection is asked for")},
    ),
)
