"""Frozen teachers and their targets, live or cached."""
