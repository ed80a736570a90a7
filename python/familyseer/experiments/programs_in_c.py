"""Programs in C, which behave in ways that no scheduled program does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Callable


def compile_c(output: str, does: str) -> None:
    """Makes a library as TVM loads it, whose entry does what a piece of C says."""
    source = Path(output).with_suffix(".c")
    source.write_text(
        "#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
        'const char __tvm_main__[] = "program";\n'
        f"int program(void *a, int *b, int c, void *d, int *e, void *f) {{ {does} return 0; }}\n"
        # As TVM 0.20 and later call it.
        "int __tvm_ffi_main(void *a, const void *b, int c, void *d) { return program(a, 0, c, d, 0, 0); }\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-O0", "-o", output, str(source)], check=True)


def linked_from_c(does: str) -> Callable[..., None]:
    """A build function whose programs do what a piece of C says in place of what was scheduled."""

    def link(output: str, objects: list[str], options: object = None) -> None:
        compile_c(output, does)

    # Where TVM looks for it.
    link.output_format = "so"  # type: ignore[attr-defined]
    return link
