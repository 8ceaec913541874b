"""The program's entry: `--version` answers without loading what it does not need."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; never returns normally: it exits with the code that CLI documents."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from migrate import __version__  # noqa: PLC0415 - keeps `--version` fast

        sys.stdout.write(f"sifmigrate {__version__}\n")
        sys.exit(0)
    from migrate.cli import app  # noqa: PLC0415 - as above

    # results are kept to the end and hold no cycles: looking through them again and again costs a tenth of a run
    gc.set_threshold(50_000, 20, 100)
    app()


if __name__ == "__main__":
    main()
