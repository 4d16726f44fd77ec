"""What the bodies and parameters of all resources are made of.

Prices are text in answers, so that no client makes floats of them by accident.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

MAX_PAGE = 500

_TEXT = PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json")
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9&-]{1,20}$", examples=["RELIANCE"])]
Account = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", examples=["main"])]
Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", examples=["ema-crossover"])]
Reason = Annotated[
    str,
    Field(
        pattern=r"^[^\x00-\x1f\x7f]{1,200}$",
        description="Why, in words; it is kept with the change.",
        examples=["maintenance of the data feed"],
    ),
]
Price = Annotated[Decimal, _TEXT, Field(examples=["2901.10"])]
Amount = Annotated[Decimal, _TEXT, Field(examples=["125000.50"])]
Percent = Annotated[Decimal, _TEXT, Field(examples=["3"])]
Fraction = Annotated[Decimal, _TEXT, Field(examples=["0.0125"])]
At = Annotated[datetime, Field(examples=["2026-01-05T09:20:00+05:30"])]
AskedAt = Annotated[AwareDatetime, Field(examples=["2026-01-05T09:15:00+05:30"])]


class Model(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


def example(**values: Any) -> ConfigDict:  # noqa: ANN401 - values of any field
    """The configuration of a model that has an example in the document."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class PageQuery(Model):
    """Which part of a list to show."""

    limit: int = Field(default=100, ge=1, le=MAX_PAGE, description="At most so many.")
    cursor: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,200}$",
        description="`next_cursor` of the page before; opaque, and of use with the same filters only.",
    )


class Page(Model):
    """A page of a list; `next_cursor` asks for the next one and is null on the last."""

    next_cursor: str | None


class FieldProblem(Model):
    """A field of the request and the rule that it breaks."""

    field: str
    rule: str


class Problem(Model):
    """An error after RFC 9457; `code` is stable, the rest is for people."""

    model_config = example(
        type="about:blank",
        title="Unprocessable Entity",
        status=422,
        code="RISK_QTY",
        detail="qty=20000 max=10000",
        order_id="5a3a3a3e-2f64-5d0b-8f0a-5a2f6c9f2b11",
    )

    type: str
    title: str
    status: int
    code: str = Field(examples=["RISK_QTY"])
    detail: str
    errors: list[FieldProblem] = []
    order_id: UUID | None = None
