"""The Python language host: what the CLI calls to learn about a Python program and to run it."""
