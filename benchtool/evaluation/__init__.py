"""Predictions, then scores."""
