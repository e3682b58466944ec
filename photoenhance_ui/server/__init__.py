"""What all doors of a running server share: the page, the HTTP API, and others that may come.

Nothing in here imports Gradio. What the framework of a page has to offer is said by two protocols,
``login_checks.LoginStore`` and ``calls.CallQueue``.
"""
