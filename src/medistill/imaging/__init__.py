"""From a file to a model's input: the one implementation that all stages share; torch-free."""
