"""Cells, their data and nets, and the grid that runs them."""
