"""What enhances photos: the protocol in ``interface``, and the engine of this process behind it."""
