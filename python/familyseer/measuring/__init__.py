"""Measuring programs as a stream: builders and runners stay up, and programs flow from one to the other.

`engine` moves the programs; `fork_server` starts the processes, and `build` and `run` are what those do.
"""
