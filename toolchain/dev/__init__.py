"""The whole engine as processes on loopback, for work on its code."""
