"""A three-node Kubernetes cluster on one Linux machine: real API server, kubelets and containers, no Docker."""
