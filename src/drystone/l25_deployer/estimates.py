"""What a deploy would cost: the deployer knows sizes, and asks somebody else for prices."""

from __future__ import annotations

import abc

from typing_extensions import override

from drystone.l25_deployer.cost_words import CostView
from drystone.l25_deployer.stacks.sizes import ServiceSize


class Estimates(abc.ABC):
    """Puts a price on sizes."""

    @abc.abstractmethod
    def month(self, before: ServiceSize | None, after: ServiceSize) -> CostView | None:
        """Estimate a month; None where nobody knows prices.

        Args:
            before: What is deployed; None where nothing is.
            after: What would be.
        """


class NoEstimates(Estimates):
    """Where nobody knows prices."""

    @override
    def month(self, before: ServiceSize | None, after: ServiceSize) -> CostView | None:
        return None
