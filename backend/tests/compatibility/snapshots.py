"""The interface as clients and operators know it: what it was is in `snapshots/`, and has to stay.

    cd backend && .venv/bin/python tests/compatibility/snapshots.py

writes the snapshots of the OpenAPI, of the problem codes and of the access log's flows anew, from the code as it is.
Do that for a release, once its additions are settled, and never to make a test pass: what a test names as missing is
missed by somebody's client, dashboard or alert too. Until then additions stand in the test's own list.

`metrics.json` is written by hand: what it holds has to be measured first, as `test_metric_names` does.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

SNAPSHOTS = Path(__file__).with_name("snapshots")


def load(name: str) -> Any:
    return json.loads((SNAPSHOTS / name).read_text())


def main() -> None:
    """One line for each operation and each component."""
    from facts import make_app, problem_codes, route_flows, without_texts

    app = make_app()
    document = without_texts({key: app.openapi()[key] for key in ("paths", "components")})
    paths = ",\n".join(f"{json.dumps(path)}: {_lines(methods)}" for path, methods in sorted(document["paths"].items()))
    components = ",\n".join(f"{json.dumps(name)}: {_lines(each)}" for name, each in document["components"].items())
    text = f'{{"paths": {{\n{paths}\n}},\n"components": {{\n{components}\n}}}}\n'
    (SNAPSHOTS / "api.json").write_text(text)
    for name, facts in (("flows.json", asyncio.run(route_flows(app))), ("problem_codes.json", sorted(problem_codes()))):
        (SNAPSHOTS / name).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")


def _lines(named: dict[str, Any]) -> str:
    lines = (f"{json.dumps(name)}: {json.dumps(value, sort_keys=True)}" for name, value in sorted(named.items()))
    return "{\n" + ",\n".join(lines) + "}"


if __name__ == "__main__":
    main()
