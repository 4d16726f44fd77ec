"""What `compose.yaml` at the root needs."""
