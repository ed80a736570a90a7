"""A model of a GPU that makes times up, for experiments on schedulers (docs/simulated-gpu.md)."""
