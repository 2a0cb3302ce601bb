"""Types, errors, files and run folders that every package shares; torch-free."""
