"""Lets two code generators make clients of infra/openapi.yaml, compiles them, and charges an account through each.

usage: clients.py PREPAID
"""

import compileall
import os
import shutil
import subprocess
import sys
from pathlib import Path

from contract import HERE, Cloud, buy

DESCRIPTION = Path("infra/openapi.yaml").resolve()
BUILT = Path("target/contract/clients").resolve()
ACCOUNT = "clients"


def run(*command, at=None):
    subprocess.run([str(part) for part in command], check=True, cwd=at)


def typescript():
    """The command that charges through openapi-typescript's client, compiled under `strict`."""
    project = BUILT / "typescript"
    shutil.copytree(HERE / "clients" / "typescript", project, dirs_exist_ok=True)
    programs = project / "node_modules" / ".bin"
    run(programs / "openapi-typescript", DESCRIPTION, "-o", "schema.d.ts", at=project)
    run(programs / "tsc", "--project", project)
    return ["node", project / "built" / "charge.js"], project


def python():
    """The command that charges through openapi-python-client's client. A part that it leaves out is a failure."""
    settings = BUILT / "python.yaml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    # The generator knows no tables as request bodies, but files.
    settings.write_text('post_hooks: []\ncontent_type_overrides: {text/csv: application/octet-stream}\n')
    project = BUILT / "python"
    generator = Path(sys.executable).parent / "openapi-python-client"
    options = ["--output-path", project, "--overwrite", "--fail-on-warning", "--config", settings]
    run(generator, "generate", "--path", DESCRIPTION, *options)
    if not compileall.compile_dir(project, quiet=1):
        sys.exit("The Python client does not compile.")
    return [sys.executable, HERE / "clients" / "charge.py"], project


def main(program):
    commands = [typescript(), python()]
    with Cloud(program) as cloud:
        cloud.ask("POST", "/v1/accounts", {"account": ACCOUNT, "email": "ada@example.com"})
        buy(cloud, ACCOUNT, "credits_500", "buy")
        cloud.advance("1m")
        for command, project in commands:
            arguments = [str(part) for part in (*command, cloud.api, cloud.service, ACCOUNT)]
            subprocess.run(arguments, check=True, env={**os.environ, "PYTHONPATH": str(project)})
    print("The clients of openapi-typescript and openapi-python-client charge an account.")


if __name__ == "__main__":
    main(*sys.argv[1:])
