"""What every move of data does, whatever moves: the same four steps, each of which may be said again."""

from __future__ import annotations

import abc
from collections.abc import Callable


class DataMove(abc.ABC):
    """The data of one resource on its way. Whatever dies: the same steps go on where it was."""

    @abc.abstractmethod
    def begin(self) -> None:
        """Copy what there is, unless that was begun before.

        Raises:
            Conflict: It cannot be moved as it is, or the new end is not fit for it.
            Unavailable: An end does not answer; nothing is lost, try again.
        """

    @abc.abstractmethod
    def follow(self, until: Callable[[int], bool]) -> None:
        """Bring over what changes until somebody says so, who is given how far behind the new end is.

        Raises:
            Conflict: Somebody else changes the new end.
            Unavailable: An end does not answer; nothing is lost, try again.
        """

    @abc.abstractmethod
    def cut_over(self, switch: Callable[[], None]) -> None:
        """Let nobody write to the old end, bring the rest over, compare, and give the traffic to the new side.

        Args:
            switch: Gives the traffic to the new side; may be called again.

        Raises:
            Conflict: The two do not hold the same; the old one may be written to again, and nothing has moved.
            Unavailable: An end does not answer; say it again, or give the move up.
        """

    @abc.abstractmethod
    def give_up(self) -> None:
        """Let the old end be written to again and forget the move; what has come over stays there.

        Raises:
            Conflict: Traffic has gone to the new side already.
        """
