"""The time of ``import interpreg`` beside that of importing its dependencies, each in a fresh process."""

import argparse
import os
import subprocess
import sys
import time
from statistics import median

DEPENDENCIES = "import torch, einops, numpy, geomloss, typing_extensions"
PACKAGE = "import interpreg"


def seconds(statement: str) -> float:
    """The wall time of a Python process that runs ``statement``, with bytecode cached as in an installed package."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    return time.perf_counter() - start


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15, help="processes of each kind, alternating")
    options = parser.parse_args(arguments)
    seconds(PACKAGE)  # writes the bytecode and fills the file cache
    pairs = [(seconds(DEPENDENCIES), seconds(PACKAGE)) for _ in range(options.pairs)]
    base, own = (median(times) for times in zip(*pairs, strict=True))
    ratio = median(package / dependencies for dependencies, package in pairs)
    print(f"dependencies {base:.2f} s, interpreg {own:.2f} s, median ratio {ratio:.3f} of {len(pairs)} pairs")


if __name__ == "__main__":
    main()
