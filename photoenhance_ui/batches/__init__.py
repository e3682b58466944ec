"""Many photos of one owner: taken in, enhanced by an engine, written, and what is kept of them."""
