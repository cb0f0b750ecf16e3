"""`python -m benchtool` (and `torchrun -m benchtool train ...`) is the `benchtool` command."""

from benchtool.cli.main import run

if __name__ == "__main__":
    run()
