"""Commands of several options, one a module: each names its options and calls one function."""
