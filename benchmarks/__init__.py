"""Ours beside the reference: parity, quality, speed, streaming. Each prints, and writes JSON."""
