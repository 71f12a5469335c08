"""The registry. `store.Registry` is its only door."""
