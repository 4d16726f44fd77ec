"""Command line: python -m toolchain.images build [NAME...] | push NAME... --registry HOST/PREFIX | list."""

import argparse

from components.kit.images import IMAGES, content_tag, reference, source
from toolchain.images.build import archive, ensure
from toolchain.images.push import push
from toolchain.kit.console import main_guard


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="toolchain.images", description="The platform's container images.")
    actions = parser.add_subparsers(dest="command", required=True)
    build = actions.add_parser("build", help="build what is not in the cache; prints one archive path a line")
    build.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(IMAGES)} (default: all)")
    send = actions.add_parser("push", help="push to a registry; prints the references there")
    workloads = [name for name in IMAGES if source(name).on_base]
    send.add_argument("names", nargs="*", metavar="NAME", help=f"(default: {' '.join(workloads)})", default=workloads)
    send.add_argument("--registry", required=True, metavar="HOST/PREFIX", help="where to; log in with `buildah login`")
    actions.add_parser("list", help="every image, its reference as the files are now, and its size where it is built")
    args = parser.parse_args()
    if args.command == "build":
        print("\n".join(str(path) for path in ensure(args.names).values()))
    elif args.command == "push":
        print("\n".join(pushed.reference for pushed in push(args.names, args.registry)))
    else:
        for name in IMAGES:
            print(describe(name))


def describe(name: str) -> str:
    """One line about an image."""
    try:
        tag = content_tag(name)
    except FileNotFoundError as error:
        return f"{name}: {error}"
    tar = archive(name, tag)
    size = f"{tar.stat().st_size / 1e6:.0f} MB" if tar.exists() else "not built"
    return f"{reference(name, tag=tag)}  {size}"


if __name__ == "__main__":
    main_guard(main)
