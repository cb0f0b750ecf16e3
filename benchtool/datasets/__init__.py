"""One file a dataset; loading for training."""
