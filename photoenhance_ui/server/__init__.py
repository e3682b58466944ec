"""What every door to a running server shares, without Gradio: page, HTTP API, and what may come."""
