"""The program's entry: `--version` answers without loading what it does not need."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn


def main() -> None:
    """Run the command line; never returns normally: it exits with the code that CLI documents."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from migrate import __version__  # noqa: PLC0415 - keeps `--version` fast

        sys.stdout.write(f"sifmigrate {__version__}\n")
        sys.exit(0)
    # results are kept to the end and hold no cycles: looking through them again and again costs an eighth of a run
    gc.disable()
    from migrate.cli import app  # noqa: PLC0415 - as above

    try:
        app()
    except SystemExit as end:
        _leave(end)


def _leave(end: SystemExit) -> NoReturn:
    """Exit at once: giving back the memory of all results, object by object, costs a tenth of a run."""
    if not isinstance(end.code, int):
        raise end
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        raise end from None  # Python has its own way to tell it
    os._exit(end.code)


if __name__ == "__main__":
    main()
