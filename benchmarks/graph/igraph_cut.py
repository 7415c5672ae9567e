"""The oracle for cuts: igraph's feedback arc sets. It runs in an environment of its own and knows nothing of Drystone.

Reads a graph as JSON from standard input, with the methods to try, and writes cost and CPU seconds of each. igraph is under
the GPL, so that nothing of Drystone imports it.
"""

from __future__ import annotations

import json
import sys
import time

import igraph  # type: ignore[import-not-found]


def main() -> None:
    """Cut the graph that comes in."""
    asked = json.load(sys.stdin)
    graph = igraph.Graph(asked["size"], asked["edges"], directed=True)
    costs = asked["costs"]
    found = {}
    for method in asked["methods"]:
        began = time.process_time()
        cut = graph.feedback_arc_set(weights=costs, method=method)
        took = time.process_time() - began
        found[method] = {"cost": sum(costs[edge] for edge in cut), "took": took}
    print(json.dumps(found))


main()
