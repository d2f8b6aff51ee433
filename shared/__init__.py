"""What every stage may import: contracts, names, the card, and the thin AWS edges they share."""
