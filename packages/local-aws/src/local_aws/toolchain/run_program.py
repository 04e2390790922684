"""Runs the SDK's own runner of programs, `pulumi-language-python-exec`, a quarter of a second faster.

    python -u run_program.py PATH/pulumi-language-python-exec ARGUMENTS…

Importing a cloud SDK makes millions of objects that stay: the collector would walk them again and again, and
the interpreter would take them apart one by one at the end. So the collector waits longer, and once everything
that wants to run at exit has run, the process simply ends.
"""

from __future__ import annotations

import atexit
import gc
import os
import runpy
import sys
import threading
import time
import traceback


def main() -> int:
    """The exit code that the interpreter would end with."""
    sys.argv = sys.argv[1:]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        return exit_code(end.code)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def language_host() -> int:
    """The process id of the host, by its own word: it may be gone before we look whose child we are."""
    return int(os.environ.pop("LOCAL_AWS_LANGUAGE_HOST", "") or os.getppid())


def end_with(parent: int) -> None:
    """End once the language host is gone: killed, it cannot end its programs, and they would wait for ever."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def exit_code(given: object) -> int:
    """What `sys.exit(given)` means."""
    match given:
        case None:
            return 0
        case int():
            return given & 0xFF
        case _:
            print(given, file=sys.stderr)
            return 1


def leave(ended: list[int]) -> None:
    """What the interpreter's own end comes to, without taking millions of objects apart."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended[0])


if __name__ == "__main__":
    ended = [1]
    # Called last, as it is registered first: after threads and what the program registered, as at any end of Python.
    atexit.register(leave, ended)
    threading.Thread(target=end_with, args=(language_host(),), daemon=True).start()
    gc.set_threshold(100_000, 50, 100)
    ended[0] = main()
