"""Resources of Micros as ours, with the variables by which programs know them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l25_deployer.exchange.drafting import named, variable
from drystone.l25_deployer.exchange.walk import Walk

_ELSEWHERE = "it is a word of AWS'"
_LOOK = "see the keys of the resource"


class Kind(msgspec.Struct, frozen=True):
    """One type of resource.

    Attributes:
        type: Ours.
        prefix: How its variables begin.
        variables: Ends of the names of variables, with keys of ours.
        words: Attributes that are texts, with our keys.
        amounts: Attributes that are numbers, with our keys and their unit.
    """

    type: str
    prefix: str = ""
    variables: Mapping[str, str] = {}
    words: Mapping[str, str] = {}
    amounts: Mapping[str, tuple[str, str]] = {}


KINDS: Mapping[str, Kind] = {
    "sqs": Kind(
        "queue",
        "SQS",
        {"QUEUE_URL": "url", "QUEUE_NAME": "name", "QUEUE_REGION": "region"},
        amounts={
            "MaxReceiveCount": ("attempts", ""),
            "MessageRetentionPeriod": ("retain", "s"),
            "VisibilityTimeout": ("visibility", "s"),
            "DelaySeconds": ("delay", "s"),
        },
    ),
    "redisx": Kind(
        "cache", "REDISX", {"HOST": "host", "PORT": "port"}, amounts={"size": ("memory", "Mi")}
    ),
    "postgres-db": Kind(
        "postgres",
        "PG",
        {
            "URL": "url",
            "HOST": "host",
            "PORT": "port",
            "ROLE": "user",
            "PASSWORD": "password",
            "SCHEMA": "name",
        },
        amounts={"connectionLimit": ("connections", "")},
    ),
    "s3": Kind("bucket", "S3", {"BUCKET_NAME": "name", "REGION": "region", "ENDPOINT": "endpoint"}),
    "dynamo-db": Kind(
        "keyvalue",
        "DYNAMO",
        {"TABLE_NAME": "name", "TABLE_REGION": "region"},
        words={"HashKeyName": "key", "RangeKeyName": "sort", "TTLAttributeName": "ttl"},
    ),
    "sns": Kind("topic", "SNS", {"TOPIC_NAME": "name", "TOPIC_REGION": "region"}),
    "kinesis": Kind("stream", "KINESIS", {"STREAM_NAME": "name", "STREAM_REGION": "region"}),
    "cryptor": Kind("encryption-key"),
    "globaledge": Kind("edge-route"),
}
_LOST = {
    "dedicated-rds": (
        "the engine of databases is the platform's",
        "write resources.NAME.size at the database",
    ),
    "slauth-gateway": ("staff are let in by the proxy", "write network.ingress.staff: true"),
    "lambda": (
        "a function has code of its own, which is not in this file",
        "make it a resource of type function, or a schedule",
    ),
}


def put_resources(
    walk: Walk, base: Mapping[str, Any], classes: Callable[[Walk], list[str]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the resources of a descriptor, or of one environment of it.

    Args:
        walk: What has the key ``resources``.
        base: Those that are there in every environment.
        classes: Reads classes of data.

    Returns:
        Resources, those that are as in every environment left out; and variables for programs that know Micros'.
    """
    found: dict[str, Any] = {}
    env: dict[str, str] = {}
    node = walk.node("resources")
    for item in node.items if isinstance(node, tree.Sequence) else []:
        one = Walk(item, (*walk.path, "resources"), walk.remarks)
        type_, written = one.text("type"), one.text("name")
        name = named(written or type_ or "resource")
        one.path = (*one.path, name)
        kind = KINDS.get(type_)
        if kind is None:
            why, do = _LOST.get(
                type_,
                (
                    f"no resource is known for the type {quoted(type_)}",
                    "look for one in the reference of descriptors",
                ),
            )
            walk.remarks.lost(item.span, one.path, why, do)
            continue
        made = _made(one, kind, classes)
        if made is None:
            continue
        if name in base:
            made = {key: value for key, value in made.items() if base[name].get(key) != value}
            if made:
                found[name] = made
        else:
            found[name] = made
            if kind.variables:
                what = f"programs are taken to find it in variables that begin with {kind.prefix}_{variable(written).upper()}"
                walk.remarks.guess(item.span, one.path, what, "look at 'env'")
            env.update(
                {
                    f"{kind.prefix}_{variable(written).upper()}_{theirs}": f"${{resources.{name}.{key}}}"
                    for theirs, key in kind.variables.items()
                }
            )
    return found, env


def _made(one: Walk, kind: Kind, classes: Callable[[Walk], list[str]]) -> dict[str, Any] | None:
    """Return a resource; None when it lacks what ours needs."""
    attributes = one.below("attributes")
    made: dict[str, Any] = {
        "type": kind.type,
        **_words(attributes, kind),
        **_amounts(attributes, kind),
    }
    if kind.type == "encryption-key":
        parameters = attributes.below("parameters")
        for theirs, ours in (("encryptingServices", "encrypt"), ("decryptingServices", "decrypt")):
            names = [named(text) for text, _ in parameters.words(theirs)]
            made.update({ours: names} if names else {})
        parameters.rest("parameters", {})
    if kind.type == "edge-route":
        made.update(_way_in(attributes))
    data = classes(attributes)
    made.update({"data": data} if data else {})
    attributes.rest("attributes", dict.fromkeys(attributes.keys, (_ELSEWHERE, _LOOK)))
    alarms = one.below("alarms")
    for key in alarms.keys:
        alarms.lost(key, "alarms are written in another way", "write 'alarms' of the resource")
    one.rest("a resource", {})
    for type_, needed in (("keyvalue", "key"), ("edge-route", "hosts")):
        if kind.type == type_ and needed not in made:
            one.remarks.lost(one.span, one.path, f"nothing says its {needed}", "write it by hand")
            return None
    return made


def _words(attributes: Walk, kind: Kind) -> dict[str, Any]:
    made = {}
    for theirs, ours in kind.words.items():
        text = attributes.text(theirs)
        if text and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
            made[ours] = text
        elif text:
            attributes.lost(theirs, f"{quoted(text)} is no name of an attribute", _LOOK)
    return made


def _amounts(attributes: Walk, kind: Kind) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for theirs, (ours, unit) in kind.amounts.items():
        text = attributes.text(theirs)
        if text.isdecimal() and 0 < int(text) < 10**9:
            made[ours] = f"{text}{unit}" if unit else int(text)
        elif text and text != "0":
            attributes.lost(theirs, f"{quoted(text)} is no amount", _LOOK)
    return made


def _way_in(attributes: Walk) -> dict[str, Any]:
    names = [text for text, _ in attributes.words("domain")]
    hosts = [
        text for text in names if re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\.[a-z]{2,}", text)
    ]
    allow = [named(text) for text, _ in attributes.words("ip_whitelist")]
    return {"hosts": hosts, "allow": allow or ["public"]} if hosts else {}
