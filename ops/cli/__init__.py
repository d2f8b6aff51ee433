"""The `snaprace` command, by audience."""
