"""Networks computed by torch: all of them on a GPU, on a CPU those that nothing else knows."""
