"""Training losses as plain functions on tensors."""
