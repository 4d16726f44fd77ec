"""Start one plugin quickly: start.py SITE-PACKAGES PLUGIN [ARGUMENT...], run by the launchers with `python -I -S`.

Without the site module Python reads no .pth file and no user folder, and the packages `pulumi` and `pulumi.runtime` are
stood in for by empty ones, so that the protocol's stubs load without the whole SDK: a plugin listens after some 0.15 s
instead of 0.6 s. Plugins may use `pulumi.runtime.proto` and nothing else of the SDK.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType


def main() -> None:
    """Set up the import path and hand over to `main()` of `toolchain.plugins.<plugin>.main`."""
    site_packages, plugin = sys.argv[1:3]
    del sys.argv[1:3]
    sys.path.append(site_packages)
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    for name in ("pulumi", "pulumi.runtime"):
        package = ModuleType(name)
        package.__path__ = [str(Path(site_packages, *name.split(".")))]
        sys.modules[name] = package
    import_module(f"toolchain.plugins.{plugin}.main").main()


if __name__ == "__main__":
    main()
