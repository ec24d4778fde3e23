"""Peer of the list routes: a FastAPI endpoint that does the least possible work."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def bare() -> dict[str, bool]:
    return {"ok": True}
