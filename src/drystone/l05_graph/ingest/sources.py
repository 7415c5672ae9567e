"""The sources that there are, by the name under which people know them."""

from __future__ import annotations

from collections.abc import Mapping

from drystone.l05_graph.ingest import (
    backstage,
    cloudformation,
    compose,
    debian,
    dependency_links,
    envoy_access_log,
    kubernetes,
    otlp_traces,
    service_graph_metrics,
    terraform_graph,
    terraform_state,
    vpc_flow,
)
from drystone.l05_graph.ingest.source import DeclaredSource, ObservedSource, Source

DECLARED: tuple[DeclaredSource, ...] = (
    backstage.SOURCE,
    cloudformation.SOURCE,
    compose.SOURCE,
    debian.SOURCE,
    kubernetes.SOURCE,
    terraform_graph.SOURCE,
    terraform_state.SOURCE,
)
OBSERVED: tuple[ObservedSource, ...] = (
    ObservedSource(
        name=envoy_access_log.NAME,
        title="access logs of Envoy: JSON lines, its default text format, and that of Istio",
        files=("access.log", "*.log", "*.log.gz"),
        format="https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage",
        shows_both_ends=False,
        read=envoy_access_log.read,
    ),
    ObservedSource(
        name=otlp_traces.NAME,
        title="traces of OpenTelemetry (OTLP): JSON, JSON lines, or Protocol Buffers",
        files=("traces.json", "*.jsonl", "*.binpb"),
        format="https://opentelemetry.io/docs/specs/otlp/",
        shows_both_ends=True,
        read=otlp_traces.read,
    ),
    ObservedSource(
        name=service_graph_metrics.NAME,
        title="metrics of a service graph: Prometheus text or query answer, or OTLP in JSON",
        files=("metrics.txt", "*.prom", "metrics.json"),
        format="https://grafana.com/docs/tempo/latest/metrics-from-traces/service_graphs/",
        shows_both_ends=True,
        read=service_graph_metrics.read,
    ),
    ObservedSource(
        name=dependency_links.ZIPKIN,
        title="the dependency links of Zipkin (/api/v2/dependencies)",
        files=("dependencies.json",),
        format="https://zipkin.io/zipkin-api/",
        shows_both_ends=True,
        read=dependency_links.read_zipkin,
    ),
    ObservedSource(
        name=dependency_links.JAEGER,
        title="the dependency links of Jaeger (/api/dependencies)",
        files=("dependencies.json",),
        format="https://www.jaegertracing.io/docs/latest/apis/",
        shows_both_ends=True,
        read=dependency_links.read_jaeger,
    ),
    ObservedSource(
        name=vpc_flow.NAME,
        title="flow logs of AWS VPCs: text or rows of Parquet",
        files=("*.log", "*.log.gz", "*.parquet"),
        format="https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html",
        shows_both_ends=True,
        read=vpc_flow.read,
        with_fields=vpc_flow.with_fields,
        read_rows=vpc_flow.read_rows,
    ),
)
_EVERY: tuple[Source, ...] = (*DECLARED, *OBSERVED)
SOURCES: Mapping[str, Source] = {one.name: one for one in _EVERY}
