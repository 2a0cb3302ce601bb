"""Checks of the project itself: dependencies, licences, the built wheel."""
