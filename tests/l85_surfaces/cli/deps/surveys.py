"""Models that the commands are tried on."""

from __future__ import annotations

SHOP = """\
title: A shop
components:
  shop:
    layer: 3
    slo: 99.9%
    needs: {users: hard, orders: hard}
  orders:
    layer: 2
    availability: 99.95%
    needs: {database: hard, flags: {strength: hard, at: start}}
  users:
    layer: 2
    availability: 99.9%
    needs: {database: hard}
  flags:
    layer: 4
    availability: 99.9%
    needs: {orders: {strength: hard, at: deploy}}
  database:
    layer: 1
    availability: 99.9%
"""
"""The example of the how-to."""

SOUND = """\
title: In order
components:
  shop: {layer: 2, needs: {users: hard}}
  users: {layer: 1}
"""
