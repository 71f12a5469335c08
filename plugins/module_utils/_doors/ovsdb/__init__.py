"""The only door to a node's Open vSwitch and to the labels beside it."""
