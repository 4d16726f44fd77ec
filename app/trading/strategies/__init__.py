"""Strategies: pure functions from closed bars to a wanted direction."""
