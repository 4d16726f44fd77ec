"""Resource provider for Kubernetes: the semantics of pulumi-kubernetes 4.34, over the SDK's own gRPC stubs."""
