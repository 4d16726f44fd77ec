"""Rules for Kubernetes objects: at a Pulumi preview and update, and over plain manifests."""
