"""Where a model looks, and whether such a picture may be believed."""
