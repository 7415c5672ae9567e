"""``drystone deps serve``."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

from drystone.l05_graph.forms import surveys
from drystone.l85_surfaces.cli.dependencies.reading import read_bytes
from drystone.l85_surfaces.cli.errors import FileUnreadable, PortTaken
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.terminal import Style, Terminal

HERE = "127.0.0.1"


async def serve(
    survey: Annotated[str, Parameter(help="A survey as YAML, in git for example.")],
    /,
    *,
    port: Annotated[
        int, Parameter(least=0, most=65535, help="On this machine alone; 0 takes any that is free.")
    ] = 0,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Show a survey in the browser.

    Layers, matrix, tangles, what-if, rehearsals. The file is read anew when it changes. Versions that are kept lie in a folder beside it. Ends with Ctrl-C. The view of a running platform
    is at /dependencies/ behind its own address.
    """
    out = Terminal(json=shared.json)
    # Mistakes are better told here than on a page.
    written = read_bytes(survey)
    if surveys.form_of(survey, written) is not surveys.Form.YAML:
        raise FileUnreadable(
            f"{survey} is no YAML; `drystone deps export {survey} --output survey.yaml` writes one",
            file=survey,
        )
    surveys.read({survey: written})
    listening = _listening(port)
    from drystone.l80_governance.dependencies.alone import serve_survey  # noqa: PLC0415 - loads slowly

    url = f"http://localhost:{listening.getsockname()[1]}/"
    out.record({"url": url, "survey": survey})
    out.line(f"{out.paint(url, Style.NAME)}  Ctrl-C ends it")
    await serve_survey(Path(survey), listening)


def _listening(port: int) -> socket.socket:
    """Return a socket that listens for this machine alone.

    Raises:
        PortTaken: Somebody else listens there, or only root may.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HERE, port))
    except OSError as e:
        found.close()
        raise PortTaken(
            f"port {port} cannot be had: {e.strerror}; --port 0 takes a free one"
        ) from e
    found.listen(64)
    return found
