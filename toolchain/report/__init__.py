"""What a change of the infrastructure does, as a person reads it: preview, drift, a comment for a pull request."""
