"""``medistill serve``: a page for people, REST for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Bundle = Annotated[Path, typer.Argument(help="Bundle: a folder or a .zip.")]
Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads; all cores when not given.")
]
Graph = Annotated[str | None, typer.Option("--graph", help="Variant to run, by its name.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="API key; or set MEDISTILL_API_KEY.")
]
Audit = Annotated[
    Path | None, typer.Option("--audit", help="Log of requests, without patient data.")
]
Keep = Annotated[Path | None, typer.Option("--keep", help="Keep uploads here; else none is kept.")]
UploadMib = Annotated[int, typer.Option("--upload-mib", help="Largest request, in MiB.")]
MemoryMib = Annotated[int, typer.Option("--memory-mib", help="Uploads inside at once, in MiB.")]
Files = Annotated[int, typer.Option("--files", help="Most files of one request.")]
Queue = Annotated[int, typer.Option("--queue", help="Images inside before 429.")]
Batch = Annotated[int, typer.Option("--batch", help="Images that run together.")]
Seconds = Annotated[float, typer.Option("--upload-seconds", help="Longest time of an upload.")]
AnswerSeconds = Annotated[float, typer.Option("--answer-seconds", help="Longest wait for one.")]
StopSeconds = Annotated[
    int, typer.Option("--shutdown-seconds", help="How long a stopping server finishes.")
]


def serve(
    bundle: Bundle,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    threads: Threads = None,
    graph: Graph = None,
    key_file: KeyFile = None,
    audit: Audit = None,
    keep: Keep = None,
    upload_mib: UploadMib = 64,
    memory_mib: MemoryMib = 512,
    files: Files = 32,
    queue: Queue = 64,
    batch: Batch = 8,
    upload_seconds: Seconds = 30.0,
    answer_seconds: AnswerSeconds = 60.0,
    shutdown_seconds: StopSeconds = 30,
) -> None:
    """Serve a bundle: a page for people, REST for programs. Needs no torch."""
    from medistill.serve.serve_command import serve_command

    bounds = {"upload_mib": upload_mib, "memory_mib": memory_mib, "files": files, "queue": queue}
    serve_command(
        bundle,
        host=host,
        port=port,
        threads=threads,
        graph=graph,
        audit=audit,
        keep=keep,
        key_file=key_file,
        batch=batch,
        upload_seconds=upload_seconds,
        answer_seconds=answer_seconds,
        shutdown_seconds=shutdown_seconds,
        **bounds,
    )
