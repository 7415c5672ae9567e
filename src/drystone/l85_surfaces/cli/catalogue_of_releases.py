"""Commands that speak to the orchestrator, with their places and examples."""

from __future__ import annotations

from drystone.l85_surfaces.cli.command import Command, Group

RELEASES: tuple[Command | Group, ...] = (
    Group(
        "orchestrator",
        "The orchestrator, which decides about everyone's releases: on, off, status.",
        (
            Command("orchestrator on", "orchestrator:turn_on", ("drystone orchestrator on",)),
            Command("orchestrator off", "orchestrator:turn_off", ("drystone orchestrator off",)),
            Command(
                "orchestrator status",
                "orchestrator:state",
                ("drystone orchestrator status", "drystone orchestrator status --json"),
            ),
        ),
    ),
    Command(
        "releases",
        "releases:releases",
        ("drystone releases", "drystone releases orders --env prod", "drystone releases --open"),
    ),
    Group(
        "release",
        "One release: what is recorded of it, how two differ, and the word of those who are asked.",
        (
            Command(
                "release show",
                "releases:show",
                ("drystone release show prod/orders/12",),
            ),
            Command(
                "release diff",
                "releases:diff",
                ("drystone release diff prod/orders/11 prod/orders/12",),
            ),
            Command(
                "release approve",
                "releases:approve",
                ("drystone release approve prod/orders/12 -m 'looks good'",),
            ),
            Command(
                "release reject",
                "releases:reject",
                ("drystone release reject prod/orders/12 -m 'not on a Friday'",),
            ),
        ),
    ),
    Command(
        "promote",
        "steering:promote",
        ("drystone promote orders --to staging", "drystone promote orders --env prod"),
    ),
    Command("pause", "steering:pause", ("drystone pause orders --env prod",)),
    Command("resume", "steering:resume", ("drystone resume orders --env prod",)),
    Group(
        "drift",
        "What serves and should not: show it (`drystone drift orders` does), repair it, adopt it.",
        (
            Command(
                "drift show",
                "drift:show",
                (
                    "drystone drift",
                    "drystone drift orders --env prod",
                    "drystone drift show --json",
                ),
            ),
            Command(
                "drift repair",
                "drift:repair",
                ("drystone drift repair orders --env prod -m 'somebody deployed by hand'",),
            ),
            Command("drift adopt", "drift:adopt", ("drystone drift adopt orders --env prod",)),
        ),
        otherwise="show",
    ),
    Group(
        "apd",
        "The deployer alone, without the orchestrator: deploy, rollback, abort.",
        (
            Command("apd deploy", "apd:deploy", ("drystone apd deploy service.yaml --env prod",)),
            Command("apd rollback", "apd:rollback", ("drystone apd rollback orders --env prod",)),
            Command("apd abort", "apd:abort", ("drystone apd abort orders",)),
        ),
    ),
)

SHARING: tuple[Command | Group, ...] = (
    Command(
        "apply",
        "apply:apply",
        ("drystone apply platform/ --dry-run", "drystone apply platform/"),
    ),
    Group(
        "registry",
        "Who owns which service: list, show, register, give away.",
        (
            Command(
                "registry list",
                "registry:list_services",
                ("drystone registry list", "drystone registry list --team shop --tier 1"),
            ),
            Command("registry show", "registry:show", ("drystone registry show orders",)),
            Command(
                "registry register",
                "registry:register",
                ("drystone registry register orders --team shop --description 'Takes orders.'",),
            ),
            Command(
                "registry offer", "registry:offer", ("drystone registry offer orders --team pay",)
            ),
            Command("registry take", "registry:take", ("drystone registry take orders",)),
            Command(
                "registry assign",
                "registry:assign",
                ("drystone registry assign orders --team pay",),
            ),
            Command("registry retire", "registry:retire", ("drystone registry retire orders",)),
        ),
    ),
    Group(
        "environments",
        "Where services run, and which environment comes after which: list, set, remove.",
        (
            Command("environments list", "registry:environments", ("drystone environments list",)),
            Command(
                "environments set",
                "registry:set_environment",
                ("drystone environments set prod --type prod --after staging",),
            ),
            Command(
                "environments remove",
                "registry:remove_environment",
                ("drystone environments remove prod-east",),
            ),
        ),
    ),
    Group(
        "targets",
        "What carries out releases of environments: list, set, remove.",
        (
            Command("targets list", "registry:targets", ("drystone targets list",)),
            Command(
                "targets set",
                "registry:set_target",
                ("drystone targets set berlin --url https://berlin.example.com/",),
            ),
            Command(
                "targets token", "registry:set_token", ("drystone targets token berlin < token",)
            ),
            Command(
                "targets remove", "registry:remove_target", ("drystone targets remove berlin",)
            ),
        ),
    ),
    Group(
        "access",
        "Who may do what: who you are, and whether somebody may.",
        (
            Command("access me", "access:me", ("drystone access me",)),
            Command(
                "access can",
                "access:can",
                ("drystone access can deploy --who ada --service orders --env prod",),
            ),
        ),
    ),
    Group(
        "people",
        "People whom the orchestrator knows: list, add, remove.",
        (
            Command("people list", "access:people", ("drystone people list",)),
            Command("people add", "access:add_person", ("drystone people add ada",)),
            Command("people remove", "access:remove_person", ("drystone people remove ada",)),
        ),
    ),
    Group(
        "teams",
        "Teams, which own services: list, add, remove, and who is in them.",
        (
            Command("teams list", "access:teams", ("drystone teams list",)),
            Command("teams add", "access:add_team", ("drystone teams add shop",)),
            Command("teams remove", "access:remove_team", ("drystone teams remove shop",)),
            Command("teams join", "access:join", ("drystone teams join shop ada --maintainer",)),
            Command("teams leave", "access:leave", ("drystone teams leave shop ada",)),
        ),
    ),
    Group(
        "grants",
        "Roles that people and teams have: list, give, revoke.",
        (
            Command(
                "grants list",
                "access:grants",
                ("drystone grants list", "drystone grants list --over service:orders"),
            ),
            Command(
                "grants give",
                "access:grant",
                ("drystone grants give person:ada owner --over team:shop --in type:prod",),
            ),
            Command(
                "grants revoke", "access:revoke_grant", ("drystone grants revoke 5d0ca1b2e3f4",)
            ),
        ),
    ),
    Group(
        "deploy-tokens",
        "Tokens by which people and builds speak to the orchestrator: make, list, revoke.",
        (
            Command(
                "deploy-tokens make",
                "access:make_token",
                (
                    "drystone deploy-tokens make ci --service orders --env prod --scope deploy",
                    "drystone deploy-tokens make laptop --scope see --scope plan --days 30",
                ),
            ),
            Command("deploy-tokens list", "access:list_tokens", ("drystone deploy-tokens list",)),
            Command(
                "deploy-tokens revoke",
                "access:revoke_token",
                ("drystone deploy-tokens revoke 5d0ca1b2e3f4",),
            ),
        ),
    ),
    Group(
        "glass",
        "Access in an emergency, which everybody sees: break, list, end.",
        (
            Command(
                "glass break",
                "access:break_glass",
                ("drystone glass break 'orders are lost since 3:10' --minutes 30",),
            ),
            Command("glass list", "access:list_glasses", ("drystone glass list",)),
            Command("glass end", "access:end_glass", ("drystone glass end 3",)),
        ),
    ),
    Group(
        "policies",
        "What is asked of every change before it is made: list, show, mode.",
        (
            Command("policies list", "guardrails:policies", ("drystone policies list",)),
            Command(
                "policies show",
                "guardrails:show_policy",
                ("drystone policies show public-exposure",),
            ),
            Command(
                "policies mode",
                "guardrails:set_mode",
                ("drystone policies mode required-owner warn --reason 'until the move is over'",),
            ),
        ),
    ),
    Group(
        "exceptions",
        "What a service may do though a policy forbids it: list, ask, allow, end.",
        (
            Command("exceptions list", "guardrails:exceptions", ("drystone exceptions list",)),
            Command(
                "exceptions ask",
                "guardrails:ask_exception",
                ("drystone exceptions ask pub -p protect -s orders -e prod -o ada -r sale",),
            ),
            Command(
                "exceptions allow", "guardrails:allow_exception", ("drystone exceptions allow pub",)
            ),
            Command("exceptions end", "guardrails:end_exception", ("drystone exceptions end pub",)),
        ),
    ),
    Group(
        "freezes",
        "Times in which nothing changes: list, set, lift.",
        (
            Command("freezes list", "guardrails:freezes", ("drystone freezes list",)),
            Command(
                "freezes set",
                "guardrails:freeze",
                ("drystone freezes set x --from 2026-12-20T18:00 --to 2027-01-02T08:00 -r rest",),
            ),
            Command("freezes lift", "guardrails:lift", ("drystone freezes lift xmas",)),
        ),
    ),
    Group(
        "audit",
        "Who did what, and whether somebody changed that: list, verify.",
        (
            Command(
                "audit list",
                "audit:list_entries",
                ("drystone audit list", "drystone audit list prod/orders --action release."),
            ),
            Command("audit verify", "audit:verify", ("drystone audit verify",)),
            Command(
                "audit accept-restored",
                "audit:accept_restored",
                ("drystone audit accept-restored --reason 'disk of the database lost'",),
            ),
        ),
    ),
)
"""What several teams need that share a platform."""
