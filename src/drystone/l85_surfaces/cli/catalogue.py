"""Every command with its place and its examples."""

from __future__ import annotations

from drystone.l85_surfaces.cli.catalogue_of_moves import COMING_AND_GOING
from drystone.l85_surfaces.cli.catalogue_of_releases import RELEASES, SHARING
from drystone.l85_surfaces.cli.catalogue_of_sandbox import SANDBOX
from drystone.l85_surfaces.cli.command import Command, Group
from drystone.l85_surfaces.cli.dependencies.catalogue import DEPENDENCIES

COMMANDS: dict[str, tuple[Command | Group, ...]] = {
    "The platform": (
        Command(
            "up",
            "up:up",
            ("drystone up", "drystone up --detach --port 8500 --home ./platform"),
        ),
        Command("down", "down:down", ("drystone down",)),
        Command(
            "status",
            "status:status",
            ("drystone status", "drystone status --json | jq .ready"),
        ),
    ),
    "Begin, come and go": (*COMING_AND_GOING, SANDBOX),
    "Change a service": (
        Command(
            "validate",
            "validate:validate",
            ("drystone validate service.yaml", "drystone validate services/*.yaml"),
        ),
        Command(
            "plan",
            "plan:plan",
            ("drystone plan service.yaml", "drystone plan service.yaml --env prod"),
        ),
        Command(
            "deploy",
            "deploy:deploy",
            (
                "drystone deploy service.yaml",
                "drystone deploy service.yaml --env prod --version 1.2",
            ),
        ),
        Command(
            "rollback",
            "rollback:rollback",
            ("drystone rollback orders", "drystone rollback orders --env prod"),
        ),
        Command(
            "abort",
            "abort:abort",
            ("drystone abort orders",),
        ),
        Command(
            "destroy",
            "destroy:destroy",
            (
                "drystone destroy orders --env dev",
                "drystone destroy orders --yes orders --delete-data db",
            ),
        ),
    ),
    "Keep data": (
        Command(
            "backup",
            "backups:backup",
            (
                "drystone backup orders",
                "drystone backup orders db --env prod",
                "drystone backup --platform --to /mnt/elsewhere",
                "drystone backup --platform --every 1d --keep 14d --to /mnt/elsewhere",
                "drystone backup --platform --off",
            ),
        ),
        Command(
            "backup-key",
            "backup_key:backup_key",
            (
                "drystone backup-key",
                "drystone backup-key --to /media/stick/drystone.key",
                "drystone backup-key --rotate",
            ),
        ),
        Command(
            "backups",
            "backups:backups",
            ("drystone backups orders", "drystone backups orders --env prod --json"),
        ),
        Command(
            "restore",
            "backups:restore",
            (
                "drystone restore orders db --test",
                "drystone restore orders db --from 20260504t100000z-5d0c",
            ),
        ),
        Command(
            "recover",
            "recover:recover",
            (
                "drystone recover --from /mnt/elsewhere/20260504t100000z-5d0c",
                "drystone recover --from /mnt/copies/20260504t100000z-5d0c --key k.txt",
                "drystone recover --from /mnt/elsewhere/20260504t100000z-5d0c --rehearse",
            ),
        ),
    ),
    "Operate services": (
        Command(
            "scale",
            "operations:scale",
            (
                "drystone scale orders 4",
                "drystone scale orders auto",
                "drystone scale orders 2 --group mailer",
            ),
        ),
        Command(
            "restart",
            "operations:restart",
            ("drystone restart orders", "drystone restart orders --env prod --group mailer"),
        ),
        Command(
            "rotate",
            "operations:rotate",
            ("drystone rotate orders", "drystone rotate orders db --env prod"),
        ),
        Command(
            "port-forward",
            "operations:port_forward",
            (
                "drystone port-forward orders",
                "drystone port-forward orders/db 15432:5432",
                "drystone port-forward orders :9000 --env prod",
            ),
        ),
        Command(
            "events",
            "operations:events",
            ("drystone events orders", "drystone events orders -f --env prod"),
        ),
    ),
    "Run jobs": (
        Group(
            "jobs",
            "Commands of a service that run to their end: run, list, stop, and read what they wrote.",
            (
                Command(
                    "jobs run",
                    "jobs:run",
                    (
                        "drystone jobs run shop report",
                        "drystone jobs run shop report -- --month 2026-05",
                    ),
                ),
                Command("jobs list", "jobs:list_runs", ("drystone jobs list shop --json",)),
                Command(
                    "jobs stop",
                    "jobs:stop",
                    ("drystone jobs stop shop 20260504t100000-5d0ca1",),
                ),
                Command(
                    "jobs logs",
                    "jobs:logs",
                    ("drystone jobs logs shop 20260504t100000-5d0ca1 -f",),
                ),
            ),
        ),
    ),
    "Look at services": (
        Command(
            "services",
            "services:services",
            ("drystone services", "drystone services --env prod --json"),
        ),
        Command(
            "show",
            "services:show",
            ("drystone show orders", "drystone show orders --env prod"),
        ),
        Command(
            "history",
            "services:history",
            ("drystone history orders", "drystone history orders -n 5"),
        ),
        Command(
            "logs",
            "logs:logs",
            ("drystone logs orders", "drystone logs orders -f -n 20 --group web"),
        ),
        Command(
            "costs",
            "costs:costs",
            (
                "drystone costs",
                "drystone costs --by team --env prod",
                "drystone costs --svg > costs.svg",
            ),
        ),
        Command(
            "refusals",
            "refusals:refusals",
            ("drystone refusals", "drystone refusals orders --env prod --json"),
        ),
        Command(
            "limits",
            "limits:limits",
            ("drystone limits", "drystone limits orders --env prod --json"),
        ),
        Command(
            "exec",
            "execute:execute",
            ("drystone exec orders -- python -m orders.report", "drystone exec orders -- env"),
        ),
    ),
    "Let services prove who they are": (
        Command(
            "token",
            "keys:token",
            (
                "drystone token orders --audience payments",
                "drystone token orders --env prod --audience prod/payments --lifetime 600",
            ),
        ),
        Command(
            "curl",
            "curl:curl",
            (
                "drystone curl payments/invoices --as orders",
                "drystone curl payments/invoices --as orders -- -s -X POST -d @invoice.json",
                "drystone curl https://api.example.org/v1 --as orders -a partner/api",
            ),
        ),
        Group(
            "certificates",
            "Certificates of services and of the edge: list, replace, provide, and the authority that issues them.",
            (
                Command(
                    "certificates list",
                    "certificates:list_certificates",
                    ("drystone certificates list", "drystone certificates list --json"),
                ),
                Command(
                    "certificates authority",
                    "certificates:authority",
                    ("drystone certificates authority > authority.pem",),
                ),
                Command(
                    "certificates replace",
                    "certificates:replace",
                    ("drystone certificates replace 5d0ca1b27f",),
                ),
                Command(
                    "certificates provide",
                    "certificates:provide",
                    ("drystone certificates provide a.example --certificate a.pem --key key.pem",),
                ),
                Command(
                    "certificates provided",
                    "certificates:provided",
                    ("drystone certificates provided",),
                ),
                Command(
                    "certificates withdraw",
                    "certificates:withdraw",
                    ("drystone certificates withdraw shop.example.com",),
                ),
            ),
        ),
        Group(
            "keys",
            "The keys by which services prove who they are: list, replace, revoke, and trust those of other platforms.",
            (
                Command(
                    "keys list",
                    "keys:list_keys",
                    ("drystone keys list", "drystone keys list orders --env prod --json"),
                ),
                Command(
                    "keys rotate",
                    "keys:rotate",
                    ("drystone keys rotate orders", "drystone keys rotate orders --env prod"),
                ),
                Command(
                    "keys revoke",
                    "keys:revoke",
                    (
                        "drystone keys revoke orders dev/orders/20260504t100000-000000-5d0ca1b2.pem",
                        "drystone keys revoke orders --all",
                    ),
                ),
                Command("keys repository", "trust:repository", ("drystone keys repository",)),
                Command(
                    "keys trust",
                    "trust:trust",
                    (
                        "drystone keys trust hq --repository $HQ --ca hq.pem --issuer dev/a --to dev/b",
                    ),
                ),
                Command(
                    "keys trusted",
                    "trust:trusted",
                    ("drystone keys trusted", "drystone keys trusted --json"),
                ),
                Command("keys distrust", "trust:distrust", ("drystone keys distrust berlin",)),
                Command(
                    "keys check",
                    "trust:check",
                    ("drystone keys check --audience orders < token",),
                ),
            ),
        ),
    ),
    "Move a service elsewhere": (
        Group(
            "migrate",
            "Move a service to another address by degrees, and back with one command.",
            (
                Command(
                    "migrate start",
                    "migrate:start",
                    (
                        "drystone migrate start orders --env dev --to 10.0.0.7:8400",
                        "drystone migrate start orders --to https://orders.example.com --ca ca.pem",
                    ),
                ),
                Command(
                    "migrate share",
                    "migrate:share",
                    (
                        "drystone migrate share orders 10%",
                        "drystone migrate share orders 0% --header x-tester:yes --caller dev/shop",
                        "drystone migrate share orders 50% --sticky cookie:session",
                    ),
                ),
                Command(
                    "migrate status",
                    "migrate:status",
                    ("drystone migrate status", "drystone migrate status orders --json"),
                ),
                Command("migrate back", "migrate:back", ("drystone migrate back orders",)),
                Command("migrate finish", "migrate:finish", ("drystone migrate finish orders",)),
                Command(
                    "migrate mirror",
                    "migrate_mirror:mirror",
                    (
                        "drystone migrate mirror orders 10%",
                        "drystone migrate mirror orders 10% --ignore '/items/*/id' --ignore vary",
                        "drystone migrate mirror orders off",
                    ),
                ),
                Command(
                    "migrate compared",
                    "migrate_mirror:compared",
                    (
                        "drystone migrate compared orders",
                        "drystone migrate compared orders --json",
                    ),
                ),
                Command(
                    "migrate data",
                    "migrate_data:data",
                    (
                        "drystone migrate data orders db --to @new-database-url",
                        "drystone migrate data orders db --to @new-database-url --cut-over",
                    ),
                ),
            ),
        ),
    ),
    "Sign in": (
        Command("login", "people:login", ("drystone login",)),
        Command("logout", "people:logout", ("drystone logout",)),
        Command(
            "whoami", "people:whoami", ("drystone whoami", "drystone whoami --json | jq -r .user")
        ),
        Group(
            "users",
            "The people whom the platform knows by itself: list, add, remove.",
            (
                Command("users list", "people:list_users", ("drystone users list",)),
                Command(
                    "users add",
                    "people:add",
                    (
                        "drystone users add ada --group staff",
                        "drystone users add bob --password-stdin < password",
                    ),
                ),
                Command(
                    "users groups",
                    "people:groups",
                    ("drystone users groups ada --group staff --group finance",),
                ),
                Command("users passwd", "people:passwd", ("drystone users passwd ada",)),
                Command("users remove", "people:remove", ("drystone users remove ada",)),
            ),
        ),
        Group(
            "tokens",
            "Tokens by which builds prove who they are: issue, list, revoke.",
            (
                Command(
                    "tokens issue",
                    "builds:issue",
                    ("drystone tokens issue --build ci/orders --days 30",),
                ),
                Command("tokens list", "builds:list_tokens", ("drystone tokens list",)),
                Command("tokens revoke", "builds:revoke", ("drystone tokens revoke 5d0ca1b2e3f4",)),
            ),
        ),
    ),
    "Release": RELEASES,
    "Share a platform": SHARING,
    "Understand what depends on what": (DEPENDENCIES,),
    "Tools": (
        Command(
            "descriptor",
            "descriptor:descriptor",
            ("drystone descriptor schema > service.schema.json",),
        ),
        Command(
            "completion",
            "completion:completion",
            (
                "source <(drystone completion bash)",
                "drystone completion fish > ~/.config/fish/completions/drystone.fish",
            ),
        ),
        Command(
            "version",
            "version:version",
            ("drystone version", "drystone version --json"),
        ),
    ),
}
