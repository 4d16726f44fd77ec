"""Positions and profit as a fold over fills."""
