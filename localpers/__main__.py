"""The entry point: an interrupt while the program is still loading is an interrupt, too."""

import sys


def run() -> None:
    try:
        from localpers.privacy.process_title import hide_arguments

        hide_arguments()

        from localpers.cli.app import main

        main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
