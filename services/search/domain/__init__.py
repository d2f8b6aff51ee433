"""What the stage decides, as pure functions: the gallery, finding photos in it, selfies, and what is shown."""
