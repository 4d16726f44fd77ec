"""Kubernetes quantities as text, from integers whose unit is in the argument's name.

The text is the one that the API server writes back (the largest unit without a fraction), so that a diff stays empty.
"""


def mib(memory_mib: int) -> str:
    """Mebibytes: `mib(512)` is `512Mi`, `mib(2048)` is `2Gi`."""
    return gib(memory_mib // 1024) if memory_mib % 1024 == 0 else f"{memory_mib}Mi"


def gib(storage_gib: int) -> str:
    """Gibibytes: `gib(10)` is `10Gi`, `gib(1024)` is `1Ti`."""
    return f"{storage_gib // 1024}Ti" if storage_gib % 1024 == 0 else f"{storage_gib}Gi"


def millicores(cpu_m: int) -> str:
    """Thousandths of a core: `millicores(250)` is `250m`, `millicores(2000)` is `2`."""
    return str(cpu_m // 1000) if cpu_m % 1000 == 0 else f"{cpu_m}m"
