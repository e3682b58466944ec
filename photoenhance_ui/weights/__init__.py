"""Network files: which ones are installed and intact, and how others arrive."""
