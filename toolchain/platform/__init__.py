"""The commands behind the Makefile: bring the platform up, show what would change, take it down."""
