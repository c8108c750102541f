"""Run a net over a pool, once, and take from it what strategies need."""
