"""Where the registry is unless told otherwise. Apart from the registry, because argument specs need no database."""

DEFAULT_URL = "sqlite:////var/lib/pextra/registry.db"
