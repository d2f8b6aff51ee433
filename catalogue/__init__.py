"""The documents that are printed from contracts, cards and their public faces: `python -m catalogue` writes them.

A module that prints documents has `pages()`, which gives each its text by its path in the repository.
"""
