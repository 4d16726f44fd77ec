"""Kubernetes quantities as text, from integers whose unit is in the argument's name."""


def mib(memory_mib: int) -> str:
    """Mebibytes: `mib(512)` is `512Mi`."""
    return f"{memory_mib}Mi"


def gib(storage_gib: int) -> str:
    """Gibibytes: `gib(10)` is `10Gi`."""
    return f"{storage_gib}Gi"


def millicores(cpu_m: int) -> str:
    """Thousandths of a core; whole cores as the API server writes them back, so that a diff stays empty."""
    return str(cpu_m // 1000) if cpu_m % 1000 == 0 else f"{cpu_m}m"
