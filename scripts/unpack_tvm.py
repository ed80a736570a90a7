"""Lays a TVM out of Maven's jars: its Python package, and beside libtvm.so the libraries it names.

Usage: unpack_tvm.py ARTIFACTS JARS DESTINATION. ARTIFACTS has lines `SHA256 NAME:VERSION[:CLASSIFIER] MEMBER...`; JARS
is the folder the jars lie in. A member is a library, or, with a slash at its end, a folder of the jar that is laid out
as it lies below `python/`. Ends with an error, and leaves DESTINATION as it was, if a jar is not the one expected.
"""

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

PLATFORM = "linux-x86_64"


def main(artifacts: Path, jars: Path, destination: Path) -> None:
    lines = [line.split() for line in artifacts.read_text().splitlines()]
    for digest, artifact, *_ in lines:
        verify(jar_path(jars, artifact), digest)
    libraries = destination / "tvm"
    for _, artifact, *members in lines:
        with zipfile.ZipFile(jar_path(jars, artifact)) as jar:
            root = jar_root(jar, artifact)
            for member in members:
                if member.endswith("/"):
                    unpack_folder(jar, f"{root}python/", f"{root}{member}", destination)
                else:
                    libraries.mkdir(parents=True, exist_ok=True)
                    with jar.open(root + member) as source, (libraries / member).open("wb") as target:
                        shutil.copyfileobj(source, target)


def jar_path(jars: Path, artifact: str) -> Path:
    name, version, *classifier = artifact.split(":")
    return jars / f"{name}-{version}-{classifier[0] if classifier else PLATFORM}.jar"


def jar_root(jar: zipfile.ZipFile, artifact: str) -> str:
    """The folder that all lies in: named for the classifier in some jars (-gpu), for the platform alone in others."""
    name, _, *classifier = artifact.split(":")
    roots = [f"org/bytedeco/{name}/{folder}/" for folder in (*classifier, PLATFORM)]
    return next(root for root in roots if any(entry.startswith(root) for entry in jar.namelist()))


def verify(jar: Path, digest: str) -> None:
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    if found != digest:
        sys.exit(f"{jar} has the SHA-256 {found}, expected {digest}. Delete it and run set-up again.")


def unpack_folder(jar: zipfile.ZipFile, root: str, folder: str, destination: Path) -> None:
    for entry in jar.infolist():
        if not entry.filename.startswith(folder) or entry.is_dir():
            continue
        target = (destination / entry.filename.removeprefix(root)).resolve()
        if not target.is_relative_to(destination.resolve()):
            sys.exit(f"{jar.filename} holds a path that leads out of its folder: {entry.filename}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with jar.open(entry) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
