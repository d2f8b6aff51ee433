"""Collections of faces and of users: `store` is what the front asks.

database    collections and their faces, in SQLite and in memory
users       users of collections, in the same file
sqlite      the file and its tables
memory      a table's vectors in memory; index searches them, similarity says how alike two are
pages       tokens for places in lists
"""
