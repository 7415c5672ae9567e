"""Somebody signs in, is known to the service, and signs out: through a real Envoy."""

from __future__ import annotations

from l35_mesh.signin.stand import Person, Stand


def test_somebody_who_signs_in_is_known_to_the_service(stand: Stand, person: Person) -> None:
    answer = person.sign_in(stand.url("orders", "/basket?of=ada&sort=x"))
    assert answer.status_code == 200
    assert person.visited[-1] == stand.url("orders", "/basket?of=ada&sort=x")
    assert '"x-drystone-user": "ada"' in answer.text
    assert '"x-drystone-groups": "admins,staff"' in answer.text
