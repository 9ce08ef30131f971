"""Named feature sets of the study's three approaches."""
