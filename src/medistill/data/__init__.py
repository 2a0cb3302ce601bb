"""Layouts, groups, parts, the store of decoded images, views and batches."""
