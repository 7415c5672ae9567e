"""Sign-in in a real browser."""

from __future__ import annotations

from drystone.testing.browser import Browser
from l35_mesh.signin.stand import Stand


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
