"""Doors to what runs on the nodes: each call has a bound, and errors become ours."""
