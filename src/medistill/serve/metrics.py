"""What the service counts, in the form of Prometheus. Torch-free."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

TEXT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counters of one service, in a registry of their own; no label ever holds user data.

    Args:
        inside: images inside the service now.
        graph: name of the graph that predicts.
        identity: SHA-256 that names the bundle.
    """

    def __init__(self, *, inside: Callable[[], float], graph: str, identity: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "medistill_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "medistill_request_seconds",
            "From the first byte of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._images = Counter(
            "medistill_images", "Images by outcome.", ["outcome"], registry=self.registry
        )
        self.batch = Histogram(
            "medistill_batch_images",
            "Images that ran together.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        depth = Gauge("medistill_inside_images", "Images inside now.", registry=self.registry)
        depth.set_function(inside)
        about = Gauge(
            "medistill_bundle", "Always 1.", ["identity", "graph"], registry=self.registry
        )
        about.labels(identity, graph).set(1)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def images(self, *, predicted: int, refused: int) -> None:
        """Count images with and without an answer."""
        self._images.labels("predicted").inc(predicted)
        self._images.labels("refused").inc(refused)

    def text(self) -> bytes:
        """Everything, as a scraper reads it."""
        return generate_latest(self.registry)
