"""Keep what is asked out of the process list, where every user of the machine can read it."""

from __future__ import annotations

import os

TITLE = "localpers"


def hide_arguments() -> None:
    """Overwrite this process's command line with the program's name alone.

    Until here the arguments could be seen: a question that must never be goes to standard input.
    """
    # The environment lies behind the arguments and stays where it is: tools read it, too.
    os.environ.setdefault("SPT_NOENV", "1")
    from setproctitle import setproctitle

    setproctitle(TITLE)
