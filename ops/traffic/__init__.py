"""Demo visitors: who comes when and what they do, and a sender that plays it."""
