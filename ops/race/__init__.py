"""What changes a race: its settings and roster, uploads, an organizer's word."""
