"""Pre-trade checks: pure functions from an order and its context to a denial or nothing."""
