"""What tests and benchmarks share: real servers, stand-ins, weights and photos."""
