"""Routes of market data; they need Redis, orders do not."""

from http import HTTPStatus

from apiflask import APIBlueprint

from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.schemas import QuoteList, QuoteOut
from trading.cache.market import read_quotes

blueprint = APIBlueprint("quotes", __name__, tag="market data")
DEADLINE_S = 1.0


@blueprint.get("/quotes")
@blueprint.output(QuoteList)
@blueprint.doc(responses={503: "Redis is away (`CACHE_UNAVAILABLE`); orders still work."})
def list_quotes() -> QuoteList:
    """List the last quotes of all symbols, in symbol order."""
    quotes = _quotes()
    return QuoteList(quotes=[QuoteOut.model_validate_json(quotes[symbol]) for symbol in sorted(quotes)])


@blueprint.get("/quotes/<symbol>")
@blueprint.output(QuoteOut)
@blueprint.doc(responses={503: "Redis is away (`CACHE_UNAVAILABLE`); orders still work."})
def get_quote(symbol: str) -> QuoteOut:
    """Get the last quote of a symbol."""
    quotes = _quotes()
    if symbol not in quotes:
        refuse(HTTPStatus.NOT_FOUND, "QUOTE_NOT_FOUND", "there is no quote of this symbol")
    return QuoteOut.model_validate_json(quotes[symbol])


def _quotes() -> dict[str, str]:
    return dependencies().cache.run(read_quotes, deadline_s=DEADLINE_S)
