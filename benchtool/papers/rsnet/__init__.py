"""RSNet (Li et al., arXiv 2604.04136): what its released code evaluates; none of its numbers is known here."""
