"""Process that pushes files with the hub's own client: a transfer takes minutes, and only killing it stops it.

    python -m vision_api.model_registry.hub.push_process < request.json

reads a `PushRequest` and writes a `PushResult`. An interrupted push may be repeated: equal files make no new commit.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter

CARD, LINEAGE, WEIGHTS = "README.md", "lineage.json", "model"
HUB_OWN_FILES = {".gitattributes", CARD}
"""Files that the hub itself may add to a new repository."""


@dataclass(frozen=True)
class PushRequest:
    """Files and their destination. `files` has local paths by their name in the repository."""

    endpoint: str
    token: str
    repository: str
    is_private: bool
    message: str
    tag: str
    files: Mapping[str, Path]


@dataclass(frozen=True)
class PushResult:
    """The commit of a push, or its error. `is_transient` errors are worth a retry."""

    commit_url: str = ""
    error_code: str = ""
    error_message: str = ""
    is_transient: bool = False


request_json = TypeAdapter(PushRequest)
result_json = TypeAdapter(PushResult)


class RepositoryTaken(Exception):
    """The repository holds files that do not come from this platform."""


def push(request: PushRequest) -> str:
    """Push the files and return the URL of the commit. Raises RepositoryTaken, and errors of the client."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    hub = HfApi(endpoint=request.endpoint, token=request.token, library_name="vision-platform")
    hub.create_repo(request.repository, private=request.is_private, exist_ok=True)
    present = hub.list_repo_files(request.repository)
    if LINEAGE not in present and set(present) - HUB_OWN_FILES:
        raise RepositoryTaken
    changes = [
        *(CommitOperationAdd(name, str(path)) for name, path in request.files.items()),
        *(CommitOperationDelete(name) for name in _outdated(present, request.files)),
    ]
    commit = hub.create_commit(request.repository, changes, commit_message=request.message)
    hub.create_tag(request.repository, tag=request.tag, revision=commit.oid, exist_ok=True)
    return str(commit.commit_url)


def _outdated(present: list[str], files: Mapping[str, Path]) -> Iterator[str]:
    """Return the weights of an earlier version that had another format."""
    return (name for name in present if PurePosixPath(name).stem == WEIGHTS and "/" not in name and name not in files)


def push_safely(request: PushRequest) -> PushResult:
    """Push, and return errors as a result, which never contains the token."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return PushResult(commit_url=push(request))
    except RepositoryTaken:
        taken = f"{request.repository} holds files that were not pushed from here. Choose another name."
        return PushResult(error_code="hub_repository_taken", error_message=taken)
    except HfHubHTTPError as error:
        status = error.response.status_code
        is_transient = status == 429 or status >= 500
        message = f"The hub answered {status}: {error.server_message or error}"
    except (HFValidationError, ValueError) as error:
        is_transient, message = False, f"The hub's client refused: {error}"
    except Exception as error:  # noqa: BLE001 - no connection, a broken transfer: the client raises many types
        is_transient, message = True, f"The hub could not be reached: {error!r}"
    return PushResult(
        error_code="hub_unavailable" if is_transient else "hub_refused",
        error_message=" ".join(message.replace(request.token, "…").split())[:500],
        is_transient=is_transient,
    )


def main() -> int:
    """Read a request from standard input, and write the result to standard output."""
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "0"}
    result = push_safely(request_json.validate_json(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(result_json.dump_json(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
