"""Hide arguments from the process list, which every user of the machine can read."""

from __future__ import annotations

import os

TITLE = "localpers"


def hide_arguments() -> None:
    """Overwrite the command line of this process with the program's name.

    Arguments are visible until this call; private questions can be passed on standard input.
    """
    # Leaves the environment, which follows the arguments in memory, in place for other tools.
    os.environ.setdefault("SPT_NOENV", "1")
    from setproctitle import setproctitle

    setproctitle(TITLE)
