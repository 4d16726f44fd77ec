"""Bad manifests as people write them, each with exactly the rules that it breaks."""

import re
from datetime import date
from pathlib import Path

import pytest

from policies.kit.config import load
from policies.kit.manifests import read
from policies.kit.report import check
from policies.kit.run import Outcome
from policies.rules import RULES

CORPUS = sorted(Path(__file__).with_name("corpus").glob("*.yaml"))
SECRETS = ("correct-horse", "glpat-", "AKIA")


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_bad_manifest_breaks_the_rules_that_it_names(path: Path) -> None:
    expected = {rule for line in re.findall(r"# expect: (.*)", path.read_text()) for rule in line.split()}
    assert expected <= set(RULES)
    found = check(read([path]), RULES, load(None, RULES), date(2026, 1, 31))
    assert {result.outcome for result in found.results} == {Outcome.FAIL}, [str(result) for result in found.results]
    broken = {result.rule.id for result in found.results}
    assert (sorted(broken - expected), sorted(expected - broken)) == ([], [])


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_no_message_shows_a_secret(path: Path) -> None:
    found = check(read([path]), RULES, load(None, RULES), date(2026, 1, 31))
    shown = "\n".join(str(result) for result in found.results)
    assert [secret for secret in SECRETS if secret in shown] == []
