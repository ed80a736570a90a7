"""Lists the licences of everything that is installed to run familyseer, and fails for one that is not allowed.

    python3 scripts/licences.py > docs/licences.md

npm packages come from package-lock.json, Python packages from what set-up installed, as far as the lists name them.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The lists of packages, and the variable of scripts/tvm-version that says which TVM each is installed beside.
LISTS = {"requirements.txt": "tvm_version", "requirements-0.27.txt": "metaschedule_tvm_version"}
# MPL-2.0 asks only that changes to its own files, of which there are none, are published; xgboost brings its own.
# Bitstream-Vera forbids only to sell the fonts by themselves, and to keep their name on changed ones.
ALLOWED = re.compile(
    r"0BSD|Apache-2\.0|BSD-[23]-Clause|CC0-1\.0|ISC|MIT|MIT-CMU|MPL-2\.0|PSF-2\.0|Python-2\.0|Unlicense|Zlib"
    r"|Bitstream-Vera"
    r"|GCC-exception-3\.1|GPL-3\.0-or-later WITH GCC-exception-3\.1"
)
# Of packages whose metadata has none: what their LICENSE file says.
STATED = {
    "dejavu-fonts-ttf": "Bitstream-Vera",
    "ptyprocess": "ISC",
    "pythonia": "MIT",
}
# How older metadata calls what SPDX does.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License v2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD-3-clause": "BSD-3-Clause",
    "ISC license": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


def main() -> None:
    rows = [("npm", *row) for row in npm_packages()] + [("Python", *row) for row in python_packages()]
    print("# Licences\n")
    print("Of everything installed to run familyseer; made by `scripts/licences.py`. TVM itself is Apache-2.0.\n")
    print("| from | package | version | licence |\n|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    wrong = [f"{name} {version}: {licence}" for _, name, version, licence in rows if not allowed(licence)]
    if wrong:
        sys.exit("licences: these are not on the list of scripts/licences.py; look at them:\n  " + "\n  ".join(wrong))


def npm_packages() -> list[tuple[str, str, str]]:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    found = {
        (path.rpartition("node_modules/")[2], package["version"], package.get("license", ""))
        for path, package in packages.items()
        if path and not package.get("dev")
    }
    return sorted((name, version, STATED.get(name, licence)) for name, version, licence in found)


def python_packages() -> list[tuple[str, str, str]]:
    home = Path(os.environ.get("FAMILYSEER_HOME") or ROOT / ".familyseer")
    versions = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "scripts" / "tvm-version").read_text(), re.M))
    found = set()
    for packages, variable in LISTS.items():
        site = str(next((home / f"tvm-{versions[variable]}" / "venv" / "lib").glob("python3.*/site-packages")))
        text = (ROOT / "python" / packages).read_text()
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.M):
            distribution = next(iter(importlib.metadata.distributions(name=name, path=[site])), None)
            if distribution is None or distribution.version != version:
                sys.exit(f"licences: {name} {version} of {packages} is not in {site}. Run set-up first.")
            found.add((name, version, STATED.get(name) or licence_of(distribution.metadata)))
    return sorted(found)


def licence_of(metadata: importlib.metadata.PackageMetadata) -> str:
    classified = [
        value.rpartition(" :: ")[2]
        for value in metadata.get_all("Classifier") or []
        if value.startswith("License :: OSI Approved :: ")
    ]
    stated = metadata.get("License-Expression") or metadata.get("License") or ""
    licence = stated if stated and len(stated) < 60 else " AND ".join(classified)
    return SPDX.get(licence, licence)


def allowed(licence: str) -> bool:
    """Whether each licence of an expression that has to be kept is allowed."""
    parts = re.split(r" AND | and ", licence.replace("(", "").replace(")", ""))
    return all(any(ALLOWED.fullmatch(choice) for choice in re.split(r" OR | or ", part)) for part in parts)


if __name__ == "__main__":
    main()
