"""The command line: ``python -m interpreg demo``, ``report`` and ``data``."""

import argparse
import sys

from interpreg.datasets import command as data
from interpreg.demo import command as demo
from interpreg.report import command as report

COMMANDS = {
    "demo": (demo, "train a plain and an ACAI autoencoder, side by side"),
    "report": (report, "write a report on the autoencoder in a checkpoint"),
    "data": (data, "describe and draw a data set"),
}


def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit status is 0, 1 after an error of one line, or 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m interpreg", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, about) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=about, description=about.capitalize() + "."))
    arguments = parser.parse_args(argv)
    try:
        COMMANDS[arguments.command][0].run(arguments)
    except KeyboardInterrupt:
        again = "; the same command resumes from the last checkpoint" if arguments.command == "demo" else ""
        print(f"\ninterrupted{again}", file=sys.stderr)
        return 130
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
