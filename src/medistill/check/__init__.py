"""Is this data fit to train on? Leaks, duplicates, shortcuts, classes, gray scale and labels."""
