"""From a trained student to a checked bundle."""
