"""What prints pages of docs/ from contracts and cards."""
