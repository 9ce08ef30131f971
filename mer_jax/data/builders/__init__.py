"""TFDS builders: what they share is in :mod:`.base`, each data set has a module of its own."""
