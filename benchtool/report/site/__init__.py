"""The static web site of `benchtool site`: tables, the distribution behind every figure, scenes to look at, BibTeX."""
