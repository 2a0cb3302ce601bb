"""Predicts with a bundle. Torch-free."""
