"""What photos cost, by what functions really called."""
