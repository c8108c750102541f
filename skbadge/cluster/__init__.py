"""Pools that outgrow one machine: rows on Dask workers, chosen from by the same law."""
