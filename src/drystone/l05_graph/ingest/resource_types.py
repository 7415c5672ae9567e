"""What resources of a cloud are, guessed from the names of their types: ``aws_db_instance``, ``AWS::RDS::DBInstance``."""

from __future__ import annotations

import functools
import re

from drystone.l05_graph.words import Kind, Risk

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_RISKS = (
    (Risk.AUTH, ("iam", "role", "policy", "cognito", "kms", "secret", "secretsmanager", "acm")),
    (
        Risk.DATA,
        (
            *(
                "db",
                "rds",
                "dynamodb",
                "database",
                "bucket",
                "table",
                "queue",
                "sqs",
                "sns",
                "topic",
            ),
            *(
                "efs",
                "ebs",
                "volume",
                "cache",
                "elasticache",
                "redis",
                "kinesis",
                "opensearch",
                "sql",
            ),
        ),
    ),
    (
        Risk.NETWORK,
        (
            *(
                "vpc",
                "subnet",
                "subnetwork",
                "route",
                "route53",
                "gateway",
                "lb",
                "alb",
                "elb",
                "dns",
            ),
            *(
                "network",
                "eip",
                "firewall",
                "cdn",
                "cloudfront",
                "listener",
                "peering",
                "zone",
                "ip",
            ),
        ),
    ),
    (Risk.LOGGING, ("log", "logs", "cloudwatch", "logging", "monitoring", "alarm")),
    (Risk.ARTIFACTS, ("ecr", "registry", "artifact", "repository", "ami", "image")),
    (Risk.CONFIGURATION, ("ssm", "parameter", "config", "appconfig")),
)
_SERVICES = ("lambda", "function", "ecs", "service", "instance", "deployment", "autoscaling")


@functools.lru_cache(maxsize=4096)
def risk_of(type_: str) -> Risk:
    """Return what needing a resource of a type is most likely for."""
    parts = set(_words(type_))
    # A group of firewall rules is "security_group" or "SecurityGroup" everywhere.
    if {"security", "group"} <= parts:
        return Risk.NETWORK
    return next((risk for risk, words in _RISKS if not parts.isdisjoint(words)), Risk.OTHER)


@functools.lru_cache(maxsize=4096)
def kind_of(type_: str) -> Kind:
    """Return what a resource of a type most likely is."""
    if risk_of(type_) is Risk.DATA:
        return Kind.DATA
    is_service = not set(_words(type_)).isdisjoint(_SERVICES)
    return Kind.SERVICE if is_service else Kind.INFRASTRUCTURE


def _words(type_: str) -> list[str]:
    return [part.lower() for part in _PARTS.findall(type_[:200])]
