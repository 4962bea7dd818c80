"""Training data: clips decoded once into memory, degraded, and cut into patches."""
