"""What experiments run in Python, a program each, with the figures as JSON in `--out`; and the paper's published tasks
and programs.

`familyseer experiment` (src/experiments) starts them, and benchmarks and tests import them. Nothing else here does.
"""
