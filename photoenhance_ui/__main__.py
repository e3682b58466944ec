"""``python -m photoenhance_ui``: the command line."""

from photoenhance_ui.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
