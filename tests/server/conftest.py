"""The server that the tests of what stands before the page talk to."""

from testing.served import released, served

__all__ = ["released", "served"]
