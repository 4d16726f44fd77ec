"""What rules are made of and run by; only `engine` knows Pulumi."""
