"""MSEC (Afifi et al., CVPR 2021): its result table, with those of its numbers that a readable source confirms."""
