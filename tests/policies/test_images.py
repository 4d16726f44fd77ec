"""Image references, taken apart as a container runtime does."""

import pytest

from policies.rules.images import Reference, immutable, reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("nginx", ("docker.io/library/nginx", "", "")),
        ("nginx:1", ("docker.io/library/nginx", "1", "")),
        ("team/app:1", ("docker.io/team/app", "1", "")),
        ("localhost/app:1", ("localhost/app", "1", "")),
        ("host:5000/app", ("host:5000/app", "", "")),
        (f"r.example.com/app:1@{DIGEST}", ("r.example.com/app", "1", DIGEST)),
    ],
)
def test_the_parts_of_a_reference(image: str, parts: tuple[str, str, str]) -> None:
    assert reference(image) == Reference(*parts)


def test_what_is_immutable() -> None:
    assert immutable(reference(f"a/b@{DIGEST}"), content_tags=False)
    assert immutable(reference("a/b:0123456789ab"), content_tags=True)
    assert not immutable(reference("a/b:0123456789ab"), content_tags=False)
    assert not immutable(reference("a/b:v1.2.3"), content_tags=True)
