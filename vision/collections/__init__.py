"""Collections of faces: `store` is what the front asks, over `database` (SQLite), `index` (memory) and `similarity`."""
