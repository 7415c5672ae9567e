"""Sign-in in a real browser."""

from __future__ import annotations

import pytest

from drystone.l35_mesh.signin import cookies
from drystone.l35_mesh.signin.words import PATH
from drystone.testing.browser import Browser
from l35_mesh.signin.stand import Person, Stand, located


def test_somebody_signs_in_with_keys_alone_and_without_scripts(
    stand: Stand, browser: Browser
) -> None:
    tab = browser.tab(scripts=False)
    tab.open(stand.url("orders", "/basket?of=ada"))
    assert tab.js("document.title") == "Sign in"
    tab.until("document.activeElement.id == 'name'")
    tab.write("ada")
    tab.until("document.activeElement.value == 'ada'")
    tab.press("Tab")
    tab.until("document.activeElement.id == 'password'")
    tab.write("correct horse")
    tab.until("document.activeElement.value == 'correct horse'")
    with tab.leads_on():
        tab.press("Enter")
    tab.until("document.title == 'The service'")
    assert tab.js("location.href") == stand.url("orders", "/basket?of=ada")
    assert '"x-drystone-user": "ada"' in tab.js("document.getElementById('said').textContent")
    assert tab.complaints == []


@pytest.mark.parametrize("before", [b"", b"\xa0", b"\x85"])
def test_no_neighbour_signs_somebody_in_as_himself(
    stand: Stand, browser: Browser, before: bytes
) -> None:
    """Log-in CSRF by a cookie for the whole domain, whose name is ours to whoever cuts off more than browsers do."""
    with Person(stand.port) as attacker:
        attacker.sign_in(stand.url("orders"), "bob", "battery staple")
        attacker.jar["orders.dev.localhost"].pop(cookies.SERVICE)
        finish = located(attacker, located(attacker, stand.url("orders", f"{PATH}begin?to=/x")))
        known = attacker.jar["orders.dev.localhost"][cookies.BEGUN]
    planted = before + f"{cookies.BEGUN}={known}; Domain=dev.localhost; Path=/; Secure".encode()
    tab = browser.tab()
    tab.send("Network.clearBrowserCookies")
    tab.open(stand.url("evil", f"/plant?{planted.hex()}"))
    tab.open(finish)
    assert tab.js("document.title") == "Not signed in"
