"""Keys of Compose files that have no counterpart: why, and what to do."""

from __future__ import annotations

from drystone.l25_deployer.exchange.walk import Reasons

_RIGHTS = ("instances run without capabilities and privileges", "do without, or run it elsewhere")
_NETWORK = (
    "each service has a network of its own; who may call is said by dependencies",
    "declare in the callers what they need; see network.ingress.callers",
)
_TOOLS = ("it is for a tool of Docker's", "remove it")

FILE: Reasons = {
    "version": ("Compose itself ignores it", "remove it"),
    "name": ("services stand for themselves, in an environment", "nothing"),
    "networks": _NETWORK,
    "configs": (
        "files are a part of the artefact, values are variables",
        "put the file into the folder or the image",
    ),
    "include": ("other files are not followed", "import them as well"),
    "models": ("nothing provides models", "call one that runs elsewhere: network.egress"),
}

SERVICE: Reasons = {
    "networks": _NETWORK,
    "network_mode": _NETWORK,
    "links": _NETWORK,
    "external_links": _NETWORK,
    "extra_hosts": (
        "names are looked up by the platform",
        "declare network.egress, or a dependency",
    ),
    "dns": ("names are looked up by the platform", "nothing"),
    "dns_search": ("names are looked up by the platform", "nothing"),
    "hostname": ("instances are called by the platform", "nothing"),
    "domainname": ("instances are called by the platform", "nothing"),
    "container_name": ("instances are called by the platform, and are several", "nothing"),
    "profiles": (
        "there are environments in place of profiles",
        "deploy it where it is wanted, or not at all",
    ),
    "labels": ("they are for programs that read Docker's", "write 'tags' for a catalogue"),
    "label_file": ("they are for programs that read Docker's", "write 'tags' for a catalogue"),
    "annotations": ("they are for programs that read Docker's", "write 'tags' for a catalogue"),
    "logging": ("the platform keeps what instances write", "drystone logs"),
    "configs": (
        "files are a part of the artefact, values are variables",
        "put the file into the folder or the image",
    ),
    "privileged": _RIGHTS,
    "cap_add": _RIGHTS,
    "cap_drop": ("instances have no capabilities anyway", "nothing"),
    "security_opt": ("instances are confined by the platform", "nothing"),
    "devices": _RIGHTS,
    "device_cgroup_rules": _RIGHTS,
    "gpus": _RIGHTS,
    "pid": _RIGHTS,
    "ipc": _RIGHTS,
    "uts": _RIGHTS,
    "userns_mode": _RIGHTS,
    "cgroup": _RIGHTS,
    "cgroup_parent": _RIGHTS,
    "group_add": _RIGHTS,
    "sysctls": _RIGHTS,
    "ulimits": ("limits are those of 'size'", "nothing"),
    "oom_kill_disable": _RIGHTS,
    "oom_score_adj": _RIGHTS,
    "runtime": ("the platform chooses the runtime", "nothing"),
    "isolation": ("the platform chooses the runtime", "nothing"),
    "platform": ("the platform is that of the machine", "build the image for it"),
    "pull_policy": ("an image is resolved to its digest at each build", "nothing"),
    "user": ("the user is that of the image", "say USER in the image"),
    "working_dir": ("the folder is that of the image", "say WORKDIR in the image, or process.dir"),
    "read_only": ("the root of instances is read-only anyway", "nothing"),
    "init": ("the command is the first process", "let it handle TERM"),
    "tty": ("instances have no terminal", "drystone exec"),
    "stdin_open": ("instances have no terminal", "drystone exec"),
    "attach": _TOOLS,
    "develop": _TOOLS,
    "provider": _TOOLS,
    "post_start": ("nothing runs beside the start", "let the program do it"),
    "pre_stop": ("nothing runs beside the end", "let the program do it when TERM comes"),
    "tmpfs": (
        "temporary files lie where the machine keeps them",
        "use a volume, or what is temporary anyway",
    ),
    "shm_size": ("shared memory is bounded by 'size.memory'", "nothing"),
    "mac_address": _NETWORK,
    "volumes_from": ("a volume belongs to one service", "call that service"),
    "storage_opt": ("space is that of 'size.disk'", "nothing"),
    "memswap_limit": ("instances have no memory beyond 'size.memory'", "nothing"),
    "mem_swappiness": ("instances have no memory beyond 'size.memory'", "nothing"),
    "mem_reservation": ("'size.memory' is bound and reservation", "nothing"),
    "cpu_shares": ("'size.cpu' is bound and reservation", "nothing"),
    "cpu_quota": ("'size.cpu' is bound and reservation", "write size.cpu"),
    "cpu_period": ("'size.cpu' is bound and reservation", "write size.cpu"),
    "cpuset": ("instances share the processors", "nothing"),
    "blkio_config": ("reading and writing is not bounded", "nothing"),
    "pids_limit": ("processes are bounded by the platform", "nothing"),
    "use_api_socket": _RIGHTS,
    "credential_spec": _RIGHTS,
}

DEPLOY: Reasons = {
    "mode": ("instances are where there is room", "say how many: scale"),
    "placement": ("instances are where there is room", "nothing"),
    "endpoint_mode": ("the proxy shares out requests", "nothing"),
    "labels": ("they are for programs that read Docker's", "write 'tags' for a catalogue"),
    "update_config": ("releases are changed as 'deploy' says", "write deploy.strategy"),
    "rollback_config": (
        "a release that is ill never serves; the one before goes on",
        "drystone rollback",
    ),
    "restart_policy": ("an instance that ends is started again, always", "nothing"),
}

STORE: Reasons = {
    **SERVICE,
    "command": (
        "the platform starts the engine with settings of its own",
        "see the keys of the resource, such as postgres.settings",
    ),
    "entrypoint": ("the platform starts the engine", "nothing"),
    "ports": (
        "nobody outside reaches the store",
        "drystone exec, or drystone migrate data for the data",
    ),
    "depends_on": ("a resource is there before its service", "nothing"),
    "deploy": ("the platform runs the engine", "see the keys of the resource"),
    "secrets": ("the platform makes up the password", "nothing"),
    "env_file": ("the platform makes up users and passwords", "nothing"),
}
