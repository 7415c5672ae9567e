"""Envoy's configuration types, read from descriptors that lie beside this module.

The generated Python package of these types would overwrite files of the Envoy wheel and of other
packages, so its classes are made here, in a pool of their own: nothing is shared with anybody's
``envoy``, ``google.rpc`` or ``opentelemetry`` modules. ``tools/make-envoy-schema`` writes the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from google.protobuf import descriptor_pb2, json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.filling import TYPE_PREFIX, Filling, Shared

__all__ = ["TYPE_PREFIX", "Config", "Shared", "message_class", "pack", "unpack"]

_DESCRIPTORS = Path(__file__).with_name("envoy-api.desc.z")

Config = Mapping[str, Any]
"""A message in its JSON form: proto field names, durations as ``"1.5s"``, ``@type`` in each Any."""


@cache
def _pool() -> DescriptorPool:
    files = descriptor_pb2.FileDescriptorSet.FromString(zlib.decompress(_DESCRIPTORS.read_bytes()))
    pool = DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def message_class(type_name: str) -> type[Any]:
    """Return the class of a message, for example ``envoy.service.discovery.v3.DiscoveryRequest``.

    Raises:
        InvalidProxyConfig: There is no such message in the descriptors.
    """
    try:
        return message_factory.GetMessageClass(_pool().FindMessageTypeByName(type_name))
    except KeyError as e:
        raise InvalidProxyConfig(
            f"there is no message {type_name} among Envoy's types that Drystone carries; add its file"
            " to tools/make-envoy-schema and run it"
        ) from e


@cache
def _filling() -> Filling:
    def parse(value: Config, message: Message) -> None:
        json_format.ParseDict(dict(value), message, descriptor_pool=_pool())

    return Filling(message_class, parse)


def pack(type_name: str, value: Config) -> Message:
    """Return a resource as a ``google.protobuf.Any``, ready to be sent.

    Unlike Envoy's own reader of JSON, this refuses every field that the type does not have.

    Args:
        type_name: Full name of the message, for example ``envoy.config.cluster.v3.Cluster``.
        value: Its JSON form.

    Raises:
        InvalidProxyConfig: A field, a type or a value does not fit; the message says which and where.
    """
    packed = message_class("google.protobuf.Any")()
    try:
        inner = message_class(type_name)()
        _filling().fill(inner, value)
        packed.type_url = TYPE_PREFIX + type_name
        packed.value = inner.SerializeToString(deterministic=True)
    except (json_format.ParseError, TypeError, ValueError) as e:
        reason = str(e).partition("\n")[0]  # the rest lists every field of the type
        raise InvalidProxyConfig(
            f"{type_name.rpartition('.')[2]} {_name_of(value)}does not fit Envoy's types: {reason}"
        ) from e
    return cast("Message", packed)


def unpack(packed: Message) -> dict[str, Any]:
    """Return the JSON form of a ``google.protobuf.Any``, with its ``@type``."""
    return dict(
        json_format.MessageToDict(packed, preserving_proto_field_name=True, descriptor_pool=_pool())
    )


def _name_of(value: Config) -> str:
    name = value.get("name") or value.get("cluster_name")
    return f"{name!r} " if isinstance(name, str) else ""
