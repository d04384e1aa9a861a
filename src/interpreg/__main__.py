"""The command line: ``python -m interpreg demo``."""

import argparse
import sys

from interpreg.demo import command


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 if it went well, 1 with one line if it could not, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m interpreg", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="train a plain and an ACAI autoencoder, side by side")
    command.add_arguments(demo)
    arguments = parser.parse_args(argv)
    try:
        command.run(arguments)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    except (ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
