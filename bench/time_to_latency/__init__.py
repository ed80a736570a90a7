"""How long tuners need to a latency that TVM's own TaskScheduler ends with (`npm run bench:time-to-latency`).

`sides` runs each tuner as a process in a folder of its own, and `runs` reads what it left there. `judge` makes curves
of network latency of that (`curves`), with the programs a run believed best timed again by a neutral timer (`retime`).
`report` compares the curves. A `study` is all of this for one set of tasks; `sets` has those that are named, and
`options` are the command's.
"""
