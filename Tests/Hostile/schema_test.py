#!/usr/bin/env python3
"""Runs Schemathesis over openapi.yaml against a real centre, with a device's signature on most requests.

    make schema-test

Needs schemathesis and openapi-spec-validator (PyPI) beside what hostile.py needs. Ends with 3 where the file is not
valid OpenAPI 3.1, an answer was 5xx, or an answer has a status that the file does not name.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
import yaml
from openapi_spec_validator import validate

from hostile import HOST, ROOT, Run
from kenh_client.client import wall_clock
from kenh_client.http_signing import Request

SCHEMA = ROOT / "Protocol" / "openapi.yaml"


@schemathesis.serializer("application/x-protobuf", "application/octet-stream")
def as_bytes(_context, value):
    """Whatever is drawn, as bytes."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def sign(cell, prepared):
    """Give it the device's signature in place of drawn fields."""
    parts = urlsplit(prepared.url)
    body = prepared.body or b""
    body = body.encode() if isinstance(body, str) else body
    request = Request(prepared.method, parts.path, cell.client.organisation.hex(), body, random.randbytes(16),
                      wall_clock() // 1000, "?" + parts.query if parts.query else "",
                      prepared.headers.get("Content-Type", ""))
    prepared.headers.update(request.headers(cell.client.key))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kenh", type=Path, default=ROOT / ".build" / "release" / "kenh")
    parser.add_argument("--examples", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.kenh = options.kenh.resolve()
    content = yaml.safe_load(SCHEMA.read_text("utf-8"))
    validate(content)
    failures, seen = Counter(), {}
    with tempfile.TemporaryDirectory(prefix="kenh-schema-") as folder:
        run = Run(options, Path(folder))
        try:
            run.prepare()
            base = f"http://{HOST}:{run.centre.port}"
            schema = schemathesis.openapi.from_dict(content)
            schema.config.update(base_url=base)
            session, cell = requests.Session(), run.attacker.cell

            def play(operation):
                named = set(map(str, operation.definition.raw["responses"]))

                @seeded(options.seed)
                @settings(max_examples=options.examples, database=None, deadline=None, phases=[Phase.generate],
                          suppress_health_check=list(HealthCheck), verbosity=Verbosity.quiet)
                @given(case=operation.as_strategy())
                def one(case):
                    prepared = requests.Request(**case.as_transport_kwargs(base_url=base)).prepare()
                    if operation.path.startswith("/v1/") and operation.path not in ("/v1/keys", "/v1/time"):
                        sign(cell, prepared)
                    with session.send(prepared, timeout=30, stream=True) as answer:
                        name = f"{operation.method.upper()} {operation.path}"
                        seen.setdefault(name, Counter())[answer.status_code] += 1
                        if answer.status_code >= 500 and answer.status_code != 507:
                            failures[f"{name}: {answer.status_code}"] += 1
                        if str(answer.status_code) not in named:
                            failures[f"{name}: {answer.status_code} is not in openapi.yaml"] += 1
                one()

            for result in schema.get_all_operations():
                play(result.ok())
        finally:
            run.centre.stop()
    for name, statuses in seen.items():
        print(name, dict(sorted(statuses.items())))
    for failure, count in failures.items():
        print(f"FAILED, {count} times: {failure}")
    return 3 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
