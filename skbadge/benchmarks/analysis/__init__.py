"""Curves, budgets and comparisons of strategies: pure functions on tidy tables."""
