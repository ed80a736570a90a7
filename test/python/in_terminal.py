"""Runs a command in a pseudo-terminal: `in_terminal.py COLUMNS ROWS COMMAND...`. What it prints is copied to standard
output. A line `COLUMNS ROWS` on standard input changes the terminal's size, as a user does at its corner."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
import threading


def set_size(terminal: int, columns: str, rows: str) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))


def main() -> int:
    columns, rows, *command = sys.argv[1:]
    terminal, side = pty.openpty()
    # Before the command can ask for it.
    set_size(side, columns, rows)
    child = os.fork()
    if child == 0:
        os.close(terminal)
        os.login_tty(side)
        os.execvp(command[0], command)
    os.close(side)

    def resize() -> None:
        for line in sys.stdin:
            set_size(terminal, *line.split())

    threading.Thread(target=resize, daemon=True).start()
    while True:
        try:
            output = os.read(terminal, 65536)
        except OSError:
            # Linux says so when nobody has the terminal any more.
            break
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
