"""A whole race on this machine, and how well it was recognised."""
