"""The page at ``http://localhost:PORT/`` while no service has taken that host: what runs here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from drystone.l10_engines.proxy.edge_own import OwnService
from drystone.l10_engines.proxy.edge_services import EdgeService

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;"
    "color-scheme:light dark}h1{font-size:1.4rem}li{margin:.4rem 0}small{opacity:.7}"
)


def index_page(services: Sequence[EdgeService], port: int, own: Sequence[OwnService] = ()) -> str:
    """Return an HTML page with a link to every host of every service, and to the platform's own pages."""
    items = "\n".join(_item(service, port) for service in sorted(services, key=lambda s: s.name))
    body = f"<ul>\n{items}\n</ul>" if items else "<p>No service is deployed yet.</p>"
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Drystone</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head>\n"
        f"<body>\n<h1>Services on this host</h1>\n{body}\n{_own(own)}</body>\n</html>\n"
    )


def _own(own: Sequence[OwnService]) -> str:
    """Return the links to the platform's own pages; they are relative, whatever port leads here."""
    links = ", ".join(
        f'<a href="{escape(one.name)}/">{escape(one.title)}</a>' for one in own if one.has_path
    )
    return f"<p>{links}</p>\n" if links else ""


def _item(service: EdgeService, port: int) -> str:
    links = ", ".join(
        f'<a href="http://{escape(host)}:{port}/">{escape(host)}</a>' for host in service.hosts
    )
    ready = any(pool.weight and pool.endpoints for pool in service.pools)
    state = "" if ready else " <small>(no instance)</small>"
    return f"<li><strong>{escape(service.name)}</strong> {links or '<small>no host</small>'}{state}</li>"
