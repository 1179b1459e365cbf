"""The container side of the tunnel: C sources and what compiles them."""
