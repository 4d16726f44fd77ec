"""Jobs end, and leave nothing behind."""

from collections.abc import Iterable

from policies.kit.objects import Object
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields


def jobs(obj: Object) -> Iterable[Fields]:
    """The spec of a Job, or of the Jobs that a CronJob makes."""
    return [obj.values.sub("spec", *(("jobTemplate", "spec") if obj.kind == "CronJob" else ()))]


def schedules(obj: Object) -> Iterable[Fields]:
    """The spec of a CronJob."""
    return [obj.values.sub("spec")]


def _deadline(job: Fields, _: Context) -> Found:
    if not job.get("activeDeadlineSeconds"):
        yield Finding(job.at("activeDeadlineSeconds"), "is not set, so a Job that hangs runs for ever")


def _retries(job: Fields, context: Context) -> Found:
    retries, most = job.get("backoffLimit"), context.settings["most"]
    if retries is None or retries > most:
        yield Finding(job.at("backoffLimit"), f"is not set, or above {most}")


def _leftovers(job: Fields, context: Context) -> Found:
    if context.object.kind == "Job" and job.get("ttlSecondsAfterFinished") is None:
        yield Finding(job.at("ttlSecondsAfterFinished"), "is not set, so the Job and its pods stay for ever")


def _concurrency(schedule: Fields, _: Context) -> Found:
    if (schedule.get("concurrencyPolicy") or "Allow") == "Allow":
        yield Finding(schedule.at("concurrencyPolicy"), "is Allow: a slow run meets the next one")


def _late_start(schedule: Fields, _: Context) -> Found:
    if not schedule.get("startingDeadlineSeconds"):
        problem = "is not set: after 100 missed starts the CronJob stops, without a word"
        yield Finding(schedule.at("startingDeadlineSeconds"), problem)


def _history(schedule: Fields, context: Context) -> Found:
    for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        kept = schedule.get(field)
        if kept is None or kept > context.settings["most"]:
            yield Finding(schedule.at(field), f"is not set, or above {context.settings['most']}")


RULES = (
    Rule(
        id="job-deadline",
        title="A Job has a deadline",
        severity=Severity.MEDIUM,
        remediation="set activeDeadlineSeconds",
        kinds=("CronJob", "Job"),
        each=jobs,
        check=_deadline,
    ),
    Rule(
        id="job-retries",
        title="A Job says how often it is tried again",
        severity=Severity.LOW,
        remediation="set backoffLimit",
        kinds=("CronJob", "Job"),
        each=jobs,
        check=_retries,
        settings={"most": Setting(6, "most retries")},
    ),
    Rule(
        id="job-leftovers",
        title="A Job that is done goes away",
        severity=Severity.LOW,
        remediation="set ttlSecondsAfterFinished",
        kinds=("Job",),
        each=jobs,
        check=_leftovers,
    ),
    Rule(
        id="cronjob-concurrency",
        title="Two runs of a CronJob never meet",
        severity=Severity.MEDIUM,
        remediation="set concurrencyPolicy: Forbid or Replace",
        kinds=("CronJob",),
        each=schedules,
        check=_concurrency,
    ),
    Rule(
        id="cronjob-deadline",
        title="A CronJob says how late a run may start",
        severity=Severity.LOW,
        remediation="set startingDeadlineSeconds",
        kinds=("CronJob",),
        each=schedules,
        check=_late_start,
        covers=("kube-score/cronjob-has-deadline",),
    ),
    Rule(
        id="cronjob-history",
        title="A CronJob keeps few runs",
        severity=Severity.LOW,
        remediation="set successfulJobsHistoryLimit and failedJobsHistoryLimit",
        kinds=("CronJob",),
        each=schedules,
        check=_history,
        settings={"most": Setting(5, "most runs of each kind")},
    ),
)
