"""What an episode has met: so that a rule that is never tried, or a race that never happens, is
seen."""
