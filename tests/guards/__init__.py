"""Guards of a refactoring: what the program does, recorded before and after, and compared.

    python -m tests.guards record BEFORE      # at the commit to compare with
    python -m tests.guards record AFTER       # at the present one
    python -m tests.guards compare BEFORE AFTER

A recording holds every shipped configuration as it is resolved, which parts are accepted together,
what tiny runs of every part leave behind (tensors, logs, samples, results), and every message of
the tests about errors. Names that were changed on purpose stand in `renames.py`, and are translated
before two recordings are compared. Only public entry points are used: the command line, run folders
on the disk, and `core.errors.UserError`. A recording takes one process and one thread.
"""
