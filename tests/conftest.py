"""Names the fixtures' modules; nothing else belongs here."""

pytest_plugins = ["tests.fix_cluster", "tests.fix_numbers", "tests.fix_pulumi"]
