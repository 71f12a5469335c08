"""The multi-node lab: podman containers that are nodes, two trunk switches between them, and their images."""
