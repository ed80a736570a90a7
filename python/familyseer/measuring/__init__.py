"""Measuring programs as a stream: builders and runners stay up, and programs flow from one to the other.

`engine` moves the programs; `fork_server` starts the processes, and `build`, `run` and `run_remote` are what those do.
`devices` are those behind a TVM RPC tracker (`tracker`), `servers` the tracker and servers that we start, and `speeds`
keeps devices of unlike speed apart. `simulated` stands in for the engine where nothing is measured.
"""
