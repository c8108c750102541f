"""One HTML page of an experiment, and the tables behind it."""
