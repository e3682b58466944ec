"""The server that the tests of the page and the API talk to."""

from tests.served import released, served

__all__ = ["released", "served"]
