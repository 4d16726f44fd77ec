"""The contract of the Pulumi plugins: the same tests hold for the official ones, chosen by PATH and PULUMI_HOME."""
