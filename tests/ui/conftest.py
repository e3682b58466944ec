"""The server that the tests of the page and the API talk to."""

from testing.served import released, served

__all__ = ["released", "served"]
