"""The commands behind the Makefile: bring the platform up, look at it, take it down."""
