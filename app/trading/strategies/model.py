"""The classifier's model as plain JSON: weights, what it was trained on, and a digest over all of it.

A model is data that is read and checked. Nothing in it is code, so one from elsewhere can be wrong but does no harm.
"""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import exp, log
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from trading.strategies.features import NAMES, VERSION

LEAST_SHARE = 1e-4  # of a bin that is empty: a logarithm needs one


class Fold(BaseModel):
    """One step of the walk-forward: trained before `begin`, measured from there on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: AwareDatetime
    rows: int
    accuracy: FiniteFloat
    base_rate: FiniteFloat


class Model(BaseModel):
    """A logistic regression on standardised features.

    Attributes:
        trained_until: begin of the newest bar that it has seen; its age counts from there.
        horizon: bars ahead whose direction it says.
        edges: of ten bins a feature that were equally full in training, nine edges each; drift is measured by them.
        folds: how it did out of sample, oldest first.
        digest: SHA-256 over all the rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    features: tuple[str, ...] = NAMES
    features_version: int = VERSION
    horizon: int = Field(ge=1, le=1000)
    trained_from: AwareDatetime
    trained_until: AwareDatetime
    data: str = Field(max_length=200)
    rows: int = Field(ge=1)
    means: tuple[FiniteFloat, ...]
    scales: tuple[FiniteFloat, ...]
    weights: tuple[FiniteFloat, ...]
    intercept: FiniteFloat
    edges: tuple[tuple[FiniteFloat, ...], ...]
    folds: tuple[Fold, ...] = ()
    digest: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.features != NAMES or self.features_version != VERSION:
            raise ValueError("model: made for other features than this version has; train it again")
        if {len(self.means), len(self.scales), len(self.weights), len(self.edges)} != {len(NAMES)}:
            raise ValueError("model: has not one mean, scale, weight and row of edges for each feature; train it again")
        if not all(scale > 0 for scale in self.scales) or not all(_ascends(row) for row in self.edges):
            raise ValueError("model: a scale is not above 0 or edges do not ascend; train it again")
        if self.digest and self.digest != digest_of(self.model_dump(mode="json")):
            raise ValueError("model: its digest is not that of its content; take the file as it was written")
        return self

    def chance(self, row: Sequence[float]) -> float:
        """How likely the price is higher after `horizon` bars, 0 to 1."""
        score = self.intercept
        for value, mean, scale, weight in zip(row, self.means, self.scales, self.weights, strict=True):
            score += (value - mean) / scale * weight
        return 1 / (1 + exp(-max(-500.0, min(500.0, score))))

    def drift(self, rows: Sequence[Sequence[float]]) -> dict[str, float]:
        """How far each feature has moved since training: its population stability index.

        Below 0.1 is customarily taken for none, above 0.25 for much.
        """
        return {name: stability(self.edges[n], [row[n] for row in rows]) for n, name in enumerate(NAMES)}

    def age_days(self, at: datetime) -> float:
        """Days since the newest bar of its training."""
        return (at - self.trained_until).total_seconds() / 86_400


def sealed(values: Mapping[str, Any]) -> Model:
    """A model of these values, with its digest."""
    model = Model.model_validate(values)
    return model.model_copy(update={"digest": digest_of(model.model_dump(mode="json"))})


def digest_of(dumped: Mapping[str, Any]) -> str:
    """SHA-256 over a dumped model without its digest."""
    rest = {name: value for name, value in dumped.items() if name != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def stability(edges: Sequence[float], values: Sequence[float]) -> float:
    """Population stability index of values against bins that were equally full: sum of (a - e) * ln(a / e)."""
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[sum(value > edge for edge in edges)] += 1
    expected = 1 / len(counts)
    actual = [max(count / len(values), LEAST_SHARE) for count in counts]
    return sum((share - expected) * log(share / expected) for share in actual)


def _ascends(edges: Sequence[float]) -> bool:
    return bool(edges) and all(a <= b for a, b in itertools.pairwise(edges))
