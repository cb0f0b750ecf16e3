"""Layers shared by two or more methods."""
