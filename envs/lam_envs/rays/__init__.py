"""A ray tracer in Warp for small pictures of many worlds, on CPU cores and GPUs."""
