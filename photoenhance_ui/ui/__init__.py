"""The page and the HTTP API: the only rooms that know Gradio. They hold no logic of their own."""
