"""The program's entry: `--version` answers without loading what it does not need."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn


def main() -> None:
    """Run the command line; the process exits with the code that CLI documents."""
    if sys.stdout is None:  # closed: whoever does that wants no output
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the program ends
    try:
        _run()
        sys.stdout.flush()
    except SystemExit as end:
        _leave(end)
    except OSError as error:
        _unwritten(error)


def _run() -> None:
    if sys.argv[1:] in (["--version"], ["-V"]):
        from migrate import __version__  # noqa: PLC0415 - keeps `--version` fast

        sys.stdout.write(f"sifmigrate {__version__}\n")
        return
    # results are kept to the end and hold no cycles: looking through them again and again costs an eighth of a run
    gc.disable()
    from migrate.cli import app  # noqa: PLC0415 - as above

    app()


def _leave(end: SystemExit) -> NoReturn:
    """Exit at once: giving back the memory of all results, object by object, costs a tenth of a run."""
    if not isinstance(end.code, int):
        raise end
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError as error:
        _unwritten(error)
    os._exit(end.code)


def _unwritten(error: OSError) -> NoReturn:
    """Exit as CLI documents where the output of `--help` or `--version` cannot be written."""
    if not isinstance(error, BrokenPipeError) and sys.stderr is not None:
        sys.stderr.write(f"sifmigrate: the output: {error.strerror}\n")
        sys.stderr.flush()
    os._exit(0 if isinstance(error, BrokenPipeError) else 2)


if __name__ == "__main__":
    main()
