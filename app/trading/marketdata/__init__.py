"""Bars: where they come from, how they are checked, how they travel."""
