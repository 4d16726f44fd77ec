"""One environment: its configuration, and how the components meet in it."""
