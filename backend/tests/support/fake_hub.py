"""A server with the part of the Hugging Face hub's protocol that pushes need. It keeps the pushed files."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import yaml
from fastapi import FastAPI, HTTPException, Request, Response

LARGE = (".pt", ".onnx", ".safetensors", ".zip")


@dataclass
class Repository:
    """A repository: its newest files, the messages of its commits, and its tags."""

    is_private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Hub:
    """One namespace, `team`, and one token that may write in it."""

    token: str = "hf_a-token-that-may-write"
    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    """Status codes of the next responses to a commit."""
    requests: list[str] = field(default_factory=list)


def make_hub_app(hub: Hub) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def check(request: Request, call_next: Any) -> Response:
        hub.requests.append(f"{request.method} {request.url.path}")
        is_upload = request.url.path.startswith("/objects/")
        if not is_upload and request.headers.get("Authorization") != f"Bearer {hub.token}":
            return Response('{"error":"Invalid username or password."}', 401)
        return await call_next(request)

    _add_repositories(app, hub)
    _add_files(app, hub)
    _add_commits(app, hub)
    return app


def _add_repositories(app: FastAPI, hub: Hub) -> None:
    @app.post("/api/repos/create")
    async def create(body: dict[str, Any]) -> Any:
        name = f"{body['organization']}/{body['name']}"
        if body["organization"] != "team":
            raise HTTPException(403)
        if name in hub.repositories:
            return Response(json.dumps({"url": f"{hub.url}/{name}"}), 409)
        hub.repositories[name] = Repository(body.get("visibility") == "private" or body.get("private", False))
        hub.repositories[name].files[".gitattributes"] = b"*.pt filter=lfs\n"
        return {"url": f"{hub.url}/{name}"}

    @app.post("/api/validate-yaml")
    async def validate(body: dict[str, Any]) -> Any:
        assert "license" in yaml.safe_load(body["content"].split("---")[1])
        return {"errors": [], "warnings": []}

    @app.get("/api/models/team/{name}/tree/main")
    async def tree(name: str) -> Any:
        files = hub.repositories[f"team/{name}"].files
        return [{"type": "file", "path": path, "size": len(files[path]), "oid": "0"} for path in files]

    @app.get("/api/models/team/{name}/revision/main")
    @app.get("/api/models/team/{name}")
    async def info(name: str) -> Any:
        return {"id": f"team/{name}", "sha": _commit(len(hub.repositories[f"team/{name}"].messages)), "siblings": []}


def _add_files(app: FastAPI, hub: Hub) -> None:
    @app.post("/api/models/team/{name}/preupload/main")
    async def preupload(name: str, body: dict[str, Any]) -> Any:
        present = hub.repositories[f"team/{name}"].files
        return {
            "files": [
                {
                    "path": file["path"], "shouldIgnore": False, "oid": _oid(file["path"], present),
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                }
                for file in body["files"]
            ]
        }  # fmt: skip

    @app.post("/team/{name}.git/info/lfs/objects/batch")
    async def batch(body: dict[str, Any]) -> Any:
        def answer(one: dict[str, Any]) -> dict[str, Any]:
            upload = {"upload": {"href": f"{hub.url}/objects/{one['oid']}"}}
            return one | ({} if one["oid"] in hub.objects else {"actions": upload})

        return {"transfer": "basic", "objects": [answer(one) for one in body["objects"]]}

    @app.put("/objects/{oid}")
    async def put(oid: str, request: Request) -> None:
        content = await request.body()
        assert hashlib.sha256(content).hexdigest() == oid
        hub.objects[oid] = content


def _add_commits(app: FastAPI, hub: Hub) -> None:
    @app.post("/api/models/team/{name}/commit/main")
    async def commit(name: str, request: Request) -> Any:
        if hub.failures:
            raise HTTPException(hub.failures.pop(0))
        repository = hub.repositories[f"team/{name}"]
        for line in (await request.body()).splitlines():
            _change(repository, hub, json.loads(line))
        oid = _commit(len(repository.messages))
        return {"commitUrl": f"{hub.url}/team/{name}/commit/{oid}", "commitOid": oid}

    @app.post("/api/models/team/{name}/tag/{revision}")
    async def tag(name: str, revision: str, body: dict[str, Any]) -> Response:
        tags = hub.repositories[f"team/{name}"].tags
        if body["tag"] in tags:
            return Response("{}", 409)
        tags[body["tag"]] = revision
        return Response("{}")


def _change(repository: Repository, hub: Hub, operation: dict[str, Any]) -> None:
    value = operation["value"]
    match operation["key"]:
        case "header":
            repository.messages.append(value["summary"])
        case "file":
            repository.files[value["path"]] = base64.b64decode(value["content"])
        case "lfsFile":
            repository.files[value["path"]] = hub.objects[value["oid"]]
        case "deletedFile":
            del repository.files[value["path"]]


def _commit(number: int) -> str:
    return f"{number:040x}"


def _oid(path: str, files: dict[str, bytes]) -> str | None:
    """Return the object id as the client computes it: git's for a small file, SHA-256 for a large one."""
    if path not in files:
        return None
    if path.endswith(LARGE):
        return hashlib.sha256(files[path]).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(files[path]) + files[path]).hexdigest()
