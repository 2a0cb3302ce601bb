"""Methods: how targets become a loss, one paper a file."""
