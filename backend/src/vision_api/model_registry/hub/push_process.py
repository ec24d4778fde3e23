"""Sends files to a hub by its own client. In a process of its own: a transfer takes minutes, and cannot be stopped.

    python -m vision_api.model_registry.hub.push_process < request.json

reads a `PushRequest` and writes a `PushResult`. What is interrupted may be sent again: equal files make no new commit.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter

CARD, LINEAGE, WEIGHTS = "README.md", "lineage.json", "model"
HUB_OWN_FILES = {".gitattributes", CARD}
"""What the hub itself may put into a new repository."""


@dataclass(frozen=True)
class PushRequest:
    """What to send where. `files` are local paths by their name in the repository."""

    endpoint: str
    token: str
    repository: str
    is_private: bool
    message: str
    tag: str
    files: Mapping[str, Path]


@dataclass(frozen=True)
class PushResult:
    """`commit_url`, or why there is none. Only what `may_pass` is worth another try."""

    commit_url: str = ""
    error_code: str = ""
    error_message: str = ""
    may_pass: bool = False


request_json = TypeAdapter(PushRequest)
result_json = TypeAdapter(PushResult)


class RepositoryTaken(Exception):
    """The repository holds something that does not come from here."""


def push(request: PushRequest) -> str:
    """The address of the commit. Raises RepositoryTaken, and what the client raises."""
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
    """Weights of an earlier version that had another format."""
    return (name for name in present if PurePosixPath(name).stem == WEIGHTS and "/" not in name and name not in files)


def push_or_tell(request: PushRequest) -> PushResult:
    """Never raises: the result says what went wrong, and nothing of the token."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return PushResult(commit_url=push(request))
    except RepositoryTaken:
        message = f"{request.repository} holds files that were not pushed from here. Choose another name."
        return PushResult(error_code="hub_repository_taken", error_message=message)
    except HfHubHTTPError as error:
        status = error.response.status_code
        may_pass = status == 429 or status >= 500
        said = f"The hub answered {status}: {error.server_message or error}"
    except (HFValidationError, ValueError) as error:
        may_pass, said = False, f"The hub's client refused: {error}"
    except Exception as error:  # noqa: BLE001 - no connection, a broken transfer, whatever the client raises then
        may_pass, said = True, f"The hub could not be reached: {error!r}"
    return PushResult(
        error_code="hub_unavailable" if may_pass else "hub_refused",
        error_message=" ".join(said.replace(request.token, "…").split())[:500],
        may_pass=may_pass,
    )


def main() -> int:
    """See the module."""
    os.environ |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "0"}
    result = push_or_tell(request_json.validate_json(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(result_json.dump_json(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
