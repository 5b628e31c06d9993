"""`python -m seqgan`."""

from seqgan.cli import main

main()
