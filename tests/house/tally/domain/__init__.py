"""The rules of counting. Pure."""
