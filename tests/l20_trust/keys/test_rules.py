"""The rules of keys hold whatever is done with them, in whatever order, whatever the clock does."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from drystone.l20_trust.keys import domain
from drystone.l20_trust.keys.domain import PUBLISHED_AFTER, Key, Ring
from l20_trust.key_rings import NOW

releases = st.integers(1, 3)
callees = st.sets(st.sampled_from(["dev/payments", "dev/mail", "prod/payments"]), max_size=2)


class Keyring(RuleBasedStateMachine):
    """One ring through any history."""

    @initialize()
    def begin(self) -> None:
        self.ring = Ring("dev", "orders")
        self.now = NOW
        self.made: list[str] = []
        self.revoked: set[str] = set()
        self.ended: dict[str, datetime] = {}

    @rule(release=releases, calls=callees, salt=st.text("0123456789abcdef", min_size=8, max_size=8))
    def new_key(self, release: int, calls: set[str], salt: str) -> None:
        name = domain.name_key(self.ring, self.now, salt)
        assert all(name > key.name for key in self.ring.keys)
        key = Key(
            name=name,
            algorithm="ES256",
            release=release,
            made=self.now,
            public=f"public {name}",
            jwk={"kty": "EC"},
            private="secret",
        )
        self.ring = domain.with_key(domain.with_calls(self.ring, release, calls), key)
        self.made.append(name)

    @rule(release=releases)
    def release_ends(self, release: int) -> None:
        for key in self.ring.keys:
            if key.release == release:
                self.ended.setdefault(key.name, self.now)
        self.ring = domain.ended(self.ring, release, self.now)

    @rule(data=st.data())
    def revoke_some(self, data: st.DataObject) -> None:
        names = data.draw(st.sets(st.sampled_from(self.made or [""])))
        self.revoked |= names
        self.ring = domain.revoked(self.ring, names, self.now)

    @rule(passed=st.timedeltas(timedelta(hours=-1), timedelta(hours=3)))
    def time_passes(self, passed: timedelta) -> None:
        self.now += passed

    @rule()
    def sweep(self) -> None:
        self.ring = domain.swept(self.ring, self.now)

    @invariant()
    def one_key_signs_for_each_release(self) -> None:
        signing = [key.release for key in self.ring.keys if key.state == "active"]
        assert sorted(signing) == self.ring.releases()

    @invariant()
    def only_what_signs_has_a_private_part_and_nothing_shows_it(self) -> None:
        assert all(bool(key.private) == (key.state == "active") for key in self.ring.keys)
        assert "secret" not in repr(self.ring) + str(self.ring)

    @invariant()
    def what_is_revoked_is_never_published_again(self) -> None:
        published = {key.name for key in self.ring.keys if key.is_published(self.now)}
        assert not published & self.revoked

    @invariant()
    def what_may_have_signed_is_published_as_long_as_its_tokens_live(self) -> None:
        published = {key.name for key in self.ring.keys if key.is_published(self.now)}
        for name in set(self.made) - self.revoked:
            end = self.ended.get(name)
            if end is None:
                assert name in published
            elif self.now >= end + PUBLISHED_AFTER:
                assert name not in published

    @invariant()
    def a_set_holds_the_keys_of_declared_callers_and_no_others(self) -> None:
        for audience in ("dev/payments", "dev/mail", "dev/nobody"):
            found = domain.key_set([self.ring], audience, self.now)["keys"]
            wanted = {
                self.ring.id_of(key)
                for key in self.ring.keys
                if key.is_published(self.now) and audience in self.ring.calls[key.release]
            }
            assert {key["kid"] for key in found} == wanted
            assert all(key.keys() == {"kty", "kid", "alg", "use"} for key in found)


def test_the_rules_hold_through_any_history() -> None:
    run_state_machine_as_test(
        Keyring, settings=settings(max_examples=40, stateful_step_count=20, deadline=None)
    )
