"""benchtool: datasets and benchmarks for photo exposure correction, from camera raws to a paper's table."""

__version__ = "0.1.0"
