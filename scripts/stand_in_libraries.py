"""Makes stand-ins for the CUDA libraries that only a machine with a GPU has, so that a CUDA build of TVM loads.

Usage: stand_in_libraries.py FOLDER COMPILER. FOLDER holds libtvm.so and libtvm_runtime.so; the stand-ins are put beside
them. Each defines what the two name of that library, with the version they name it by: Python's ctypes resolves every
symbol when it loads. Nothing pretends to work: every function returns an error.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

# Symbols carry a library's soname as their version, but those of the driver, which carry none.
DRIVER = "libcuda.so.1"
VERSIONED = ("libcublas.so.12", "libcublasLt.so.12", "libcudnn.so.9")
TVM_LIBRARIES = ("libtvm.so", "libtvm_runtime.so")

# CUDA_ERROR_NO_DEVICE; in cuBLAS and cuDNN, too, anything but 0 is an error.
ERROR = 100
FUNCTION = f"int {{name}}(void) {{{{ return {ERROR}; }}}}"
# These answer with text, which TVM prints.
TEXT = '"this is a stand-in: there is no GPU"'
TEXT_FUNCTIONS = {
    "cuGetErrorName": f"int cuGetErrorName(int error, const char **name) {{ *name = {TEXT}; return 0; }}",
    "cudnnGetErrorString": f"const char *cudnnGetErrorString(int status) {{ return {TEXT}; }}",
}


def main(folder: Path, compiler: str) -> None:
    named: dict[str, set[str]] = {library: set() for library in (DRIVER, *VERSIONED)}
    for library in TVM_LIBRARIES:
        for symbol in undefined_symbols(folder / library):
            name, _, version = symbol.partition("@")
            if version in VERSIONED:
                named[version].add(name)
            elif not version and name.startswith("cu"):
                named[DRIVER].add(name)
    for library, names in named.items():
        make_library(folder / library, sorted(names), compiler)


def undefined_symbols(library: Path) -> list[str]:
    listed = subprocess.run(
        ["nm", "--dynamic", "--undefined-only", "--with-symbol-versions", str(library)],
        check=True,
        capture_output=True,
        text=True,
    )
    return [line.split()[-1] for line in listed.stdout.splitlines()]


def make_library(library: Path, names: list[str], compiler: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "stand_in.c"
        source.write_text("\n".join(TEXT_FUNCTIONS.get(name, FUNCTION.format(name=name)) for name in names) + "\n")
        options = ["-shared", "-fPIC", "-nostdlib", f"-Wl,-soname,{library.name}"]
        if library.name in VERSIONED:
            versions = Path(scratch) / "versions"
            versions.write_text(f"{library.name} {{ global: *; }};\n")
            options.append(f"-Wl,--version-script={versions}")
        subprocess.run([compiler, *options, "-o", str(library), str(source)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
