"""Ways in for people outside, and certificates."""

from __future__ import annotations

from drystone.l25_deployer.descriptor.schema import resources
from drystone.l25_deployer.stacks import ways
from drystone.l25_deployer.stacks.wiring.shape import NOW, Context, Realised, ResourceType, Wired


def _edge_route(_name: str, resource: resources.EdgeRoute, _context: Context) -> Wired:
    entry = ways.EdgeRoute(
        hosts=tuple(sorted(set(resource.hosts))),
        paths=tuple(sorted({path.rstrip("/") or "/" for path in resource.paths})),
        allow=tuple(sorted(set(resource.allow))),
        deny=tuple(sorted(set(resource.deny))),
        tls=resource.tls,
        guard="off" if not resource.waf else "report" if resource.waf_report else "on",
        protect=resource.protect,
    )
    return Wired(entry, resource.KEYS)


def _certificate(_name: str, resource: resources.Certificate, _context: Context) -> Wired:
    entry = ways.Certificate(
        hosts=tuple(dict.fromkeys(resource.hosts)),
        use=resource.use,
        days=resource.days,
        protect=resource.protect,
    )
    return Wired(entry, resource.KEYS)


def _static_site(_name: str, resource: resources.StaticSite, _context: Context) -> Wired:
    entry = ways.StaticSite(
        dir=resource.dir,
        hosts=tuple(sorted(set(resource.hosts))),
        index=resource.index,
        spa=resource.spa,
        keep_assets=resource.keep_assets,
        tls=resource.tls,
        cache=dict(sorted(resource.cache.items())),
        headers=dict(sorted(resource.headers.items())),
        csp=resource.csp,
        protect=resource.protect,
    )
    return Wired(entry, resource.KEYS)


STATIC_SITE = ResourceType(
    resources.StaticSite,
    _static_site,
    Realised(
        local="the platform's server for files, an instance of each release, and a virtual host of the edge",
        aws="CloudFront in front of a bucket of S3, with a certificate of ACM",
        kubernetes="a Deployment of a server for files, and an HTTPRoute of the Gateway API",
    ),
    dict.fromkeys(
        ("dir", "hosts", "index", "spa", "cache", "headers", "csp", "keep_assets", "tls"), NOW
    ),
)


CERTIFICATE = ResourceType(
    resources.Certificate,
    _certificate,
    Realised(
        local="files that the service alone may read, issued by the platform's authority",
        aws="ACM, by a private authority",
        kubernetes="a Certificate of cert-manager",
    ),
    dict.fromkeys(("hosts", "use", "days"), NOW),
)


EDGE_ROUTE = ResourceType(
    resources.EdgeRoute,
    _edge_route,
    Realised(
        local="a virtual host of the edge, with a certificate of the platform's authority unless somebody provides another",
        aws="CloudFront in front of an Application Load Balancer, with certificates of ACM and rules of AWS WAF",
        kubernetes="an HTTPRoute of the Gateway API, with a certificate of cert-manager",
    ),
    {
        **dict.fromkeys(("hosts", "paths", "allow", "deny", "tls", "waf", "waf_report"), NOW),
    },
)
