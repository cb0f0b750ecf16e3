"""The loop over stages and players, checkpoints, optimisers, logging."""
