"""Pure rules: which words are bibs, and what the stage keeps of a photo after each thing it hears."""
