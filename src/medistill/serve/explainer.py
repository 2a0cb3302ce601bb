"""Runs the explaining graph of a bundle. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping

from medistill.bundle.bundle import Bundle
from medistill.serve.predictor import Images
from medistill.serve.relevance import (
    Kind,
    Relevance,
    attention_rollout,
    class_activation,
    stretched,
)
from medistill.serve.session import GraphSession, open_session

#: What a graph output holds: the classifier applied to each region, or a block's attention.
ACTIVATION, ATTENTION = "class-activation", "attention."


class Explainer:
    """A bundle's explaining graph, ready to run.

    Args:
        session: the graph; its outputs hold ``class-activation`` or every ``attention.{i}``.
    """

    def __init__(self, session: GraphSession) -> None:
        self._session = session
        held = {what: output for output, what in session.graph.outputs.items()}
        self.kind: Kind = "class-activation" if ACTIVATION in held else "attention-rollout"
        self._outputs = [held[ACTIVATION]] if ACTIVATION in held else _in_block_order(held)

    @classmethod
    def of(cls, bundle: Bundle, *, threads: int | None = None) -> Explainer | None:
        """The explainer of a bundle; None where it holds no explaining graph.

        Raises:
            BundleError: the graph is broken.
        """
        for graph in bundle.manifest.graphs:
            if graph.role == "explain":
                return cls(open_session(bundle, graph=graph.name, threads=threads))
        return None

    def explain(self, image: Images, target: int) -> Relevance:
        """Where the student looked.

        Args:
            image: (C, S, S) in [0, 1].
            target: number of the class; roll-out knows none and leaves it out.

        Raises:
            BundleError: the graph fails.
        """
        found = [value[0] for value in self._session.run_many(image[None], self._outputs)]
        if self.kind == "class-activation":
            values = class_activation(found[0], target)
            return Relevance(kind=self.kind, values=stretched(values), target=target)
        values = attention_rollout(found)
        return Relevance(kind=self.kind, values=stretched(values), target=None)


def _in_block_order(held: Mapping[str, str]) -> list[str]:
    blocks = sorted((what for what in held if what.startswith(ATTENTION)), key=_number)
    return [held[what] for what in blocks]


def _number(what: str) -> int:
    return int(what.removeprefix(ATTENTION))
