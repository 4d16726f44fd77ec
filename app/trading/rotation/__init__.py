"""Rotation of the platform's credentials, from a person's machine or from CI: it runs `pulumi` and `kubectl`."""
