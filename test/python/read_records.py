"""Reads logs with plain TVM: for each path on standard input a line, how many records it has or what is wrong."""

from __future__ import annotations

import sys

from tvm import auto_scheduler


def main() -> None:
    for path in sys.stdin:
        try:
            answer = str(sum(1 for _record in auto_scheduler.RecordReader(path.strip())))
        except Exception as error:
            answer = f"{type(error).__name__}: {error}".replace("\n", " ")
        print(answer, flush=True)


if __name__ == "__main__":
    main()
