"""Run the Pulumi program without an engine and without a cluster, and write what it declares."""
