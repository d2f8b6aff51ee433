"""The prices of a region, for commands."""

from __future__ import annotations

from ops.reach.errors import Failed
from shared.contracts.prices import PRICES, Prices


def prices_in(region: str) -> Prices:
    """The prices of a region. Raises Failed where none are known."""
    if region not in PRICES:
        raise Failed(
            f"No prices are known for '{region}', only for {', '.join(PRICES)}. Add them to shared/contracts/prices.py."
        )
    return PRICES[region]
