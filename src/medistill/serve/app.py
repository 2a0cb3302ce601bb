"""The HTTP interface of a service: routes, documents and the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from medistill import __version__
from medistill.serve.answers import Explained, Model, Problem, Results, State
from medistill.serve.exchange import KEY_HEADER, Exchange
from medistill.serve.metrics import TEXT_TYPE
from medistill.serve.page import add_page
from medistill.serve.service import Service
from medistill.serve.uploads import FIELD
from medistill.serve.wording import (
    card_text,
    explained,
    mask_response,
    model_of,
    pixels_response,
    results_of,
    target_of,
)

Work = Callable[[Exchange], Awaitable[Response]]
_FILES = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            }
        },
    }
}
_STATUSES = {
    400: "The form is malformed.",
    401: "The API key is missing or wrong.",
    408: "The upload took too long.",
    413: "Too many bytes or files.",
    415: "The body is not multipart/form-data.",
    422: "No file could be read.",
    429: "The queue is full; Retry-After says when to come back.",
    500: "The server failed.",
    409: "The bundle cannot do this.",
    503: "The server is stopping.",
    504: "No answer in time.",
    507: "The server cannot write its audit log.",
}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text} for status, text in _STATUSES.items()
}
_GUARDED: dict[int | str, dict[str, Any]] = {
    status: _PROBLEMS[status] for status in (401, 500, 503, 507)
}
ClassQuery = Annotated[
    str | None, Query(alias="class", description="Class to explain; the most probable if absent.")
]


def create_app(service: Service) -> FastAPI:
    """The application of one service; its documents and page need no other machine.

    Args:
        service: closed when the application stops.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    app: FastAPI = FastAPIOffline(
        title="medistill",
        version=__version__,
        description=f"Predictions of one bundle. Send the key, if one is set, as {KEY_HEADER}.",
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_states(app, service)
    _add_documents(app, service)
    _add_predict(app, service)
    _add_views(app, service)
    add_page(app)
    return app


def _add_states(app: FastAPI, service: Service) -> None:
    @app.get("/health", response_model=State, tags=["state"])
    async def health() -> State:
        """The process lives."""
        return State(status="ok")

    @app.get("/ready", response_model=State, responses={503: {"model": State}}, tags=["state"])
    async def ready() -> Response:
        """Work is taken."""
        works = service.works
        state = State(status="ready" if works else "stopping" if service.stopping else "failed")
        return JSONResponse(state.model_dump(), status_code=200 if works else 503)


def _add_documents(app: FastAPI, service: Service) -> None:
    @app.get("/metrics", responses={**_GUARDED, 200: _media("text/plain")}, tags=["state"])
    async def metrics(request: Request) -> Response:
        """Counters in the form of Prometheus."""

        async def work(_: Exchange) -> Response:
            return Response(service.metrics.text(), headers={"Content-Type": TEXT_TYPE})

        return await Exchange(service, request, "metrics").answer(work)

    @app.get("/v1/model", response_model=Model, responses=_GUARDED, tags=["model"])
    async def model(request: Request) -> Response:
        """What is served."""

        async def work(_: Exchange) -> Response:
            return JSONResponse(model_of(service).model_dump())

        return await Exchange(service, request, "model").answer(work)

    @app.get("/v1/card", responses={**_GUARDED, 200: _media("text/markdown")}, tags=["model"])
    async def card(request: Request) -> Response:
        """The model card."""

        async def work(_: Exchange) -> Response:
            return Response(card_text(service), media_type="text/markdown")

        return await Exchange(service, request, "card").answer(work)


def _add_predict(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/predict",
        response_model=Results,
        responses=_PROBLEMS,
        openapi_extra=_FILES,
        tags=["images"],
    )
    async def predict(request: Request) -> Response:
        """Predict one or many PNG, JPEG, TIFF, BMP or DICOM files."""

        async def work(exchange: Exchange) -> Response:
            exchange.found = await service.predict(await exchange.read())
            return results_of(service, exchange.found)

        return await Exchange(service, request, "predict").answer(work)

    @app.post(
        "/v1/explain",
        response_model=Explained,
        responses=_PROBLEMS,
        openapi_extra=_FILES,
        tags=["images"],
    )
    async def explain(request: Request, name: ClassQuery = None) -> Response:
        """Where the student looked in one image."""

        async def work(exchange: Exchange) -> Response:
            (upload,) = await exchange.read(most=1)
            found, relevance, shape = await service.explain(upload, target_of(service, name))
            exchange.found = [found]
            return JSONResponse(explained(service, found, relevance, shape).model_dump())

        return await Exchange(service, request, "explain").answer(work)


def _add_views(app: FastAPI, service: Service) -> None:
    pixels = _media("application/octet-stream")

    @app.post(
        "/v1/pixels",
        responses={**_PROBLEMS, 200: pixels},
        openapi_extra=_FILES,
        response_class=Response,
        tags=["images"],
    )
    async def pixels_of(request: Request) -> Response:
        """The picture itself: 16-bit values, little-endian, row by row, for a window of one's own.

        The headers X-Width, X-Height and X-Channels (1 or 3) tell its shape; a side above 1024 is
        brought to 1024.
        """

        async def work(exchange: Exchange) -> Response:
            (upload,) = await exchange.read(most=1)
            return pixels_response(await service.picture(upload))

        return await Exchange(service, request, "pixels").answer(work)

    @app.post(
        "/v1/mask",
        responses={**_PROBLEMS, 200: _media("image/png")},
        openapi_extra=_FILES,
        response_class=Response,
        tags=["images"],
    )
    async def mask(request: Request) -> Response:
        """The mask of one image as PNG: the number of the class at each pixel."""

        async def work(exchange: Exchange) -> Response:
            (upload,) = await exchange.read(most=1)
            exchange.found = await service.predict([upload])
            return mask_response(service, exchange.found[0])

        return await Exchange(service, request, "mask").answer(work)


def _media(kind: str) -> dict[str, Any]:
    return {"content": {kind: {}}, "description": "As asked."}
