"""What a card becomes: a stack with the table, and for each function what feeds it, runs and is allowed."""
