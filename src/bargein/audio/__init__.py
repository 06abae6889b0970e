"""Sound on its way to the ear and from the mouth: players, recorders, formats, the virtual card."""
