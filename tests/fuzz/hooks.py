"""Ids of things that exist, in most of the requests that schemathesis makes up.

The fuzzer runs as a process of its own, which gets the ids in the variable FUZZ_IDS.
"""

import json
import os
from typing import Any
from zlib import crc32

import schemathesis

IDS: dict[str, Any] = json.loads(os.environ.get("FUZZ_IDS", "{}"))
ONE_IN = 4
"""One request of so many keeps its own ids: it shows what is answered for anything else."""
DESTRUCTIVE = ("DELETE",)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Put ids that exist into the path, except where the request would delete them."""
    if not path_parameters or context.operation.method.upper() in DESTRUCTIVE:
        return path_parameters
    known = {name: IDS[name] for name in path_parameters if name in IDS}
    return path_parameters if _is_kept(path_parameters) else path_parameters | known


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Put ids that exist into the body."""
    del context
    if not isinstance(body, dict) or _is_kept(body):
        return body
    return body | {name: IDS[name] for name in ("project_id", "dataset_id", "job_id") if name in body and name in IDS}


def _is_kept(generated: Any) -> bool:
    """Decide by what was generated, so that a seed gives the same requests again."""
    return crc32(repr(generated).encode(errors="replace")) % ONE_IN == 0


@schemathesis.serializer("application/offset+octet-stream")
def serialize_part(context: Any, value: Any) -> bytes:
    """Return a piece of a resumable upload as it is sent."""
    del context
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")
