"""`benchtool reproduce`: the graph behind a paper's table, what of it there is, what it costs, running it, and scripts of it."""
