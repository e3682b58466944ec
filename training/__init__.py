"""The recipe of the built-in network: anyone can run it on their own photos."""
