"""One file per noun: how it is read from the nodes and the registry, and how a planned step is carried out."""
