"""One folder a paper: published numbers with their source, tables, errata."""
