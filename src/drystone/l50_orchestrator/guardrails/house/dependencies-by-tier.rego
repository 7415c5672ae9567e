package drystone.dependencies_by_tier

import rego.v1

deny contains {"text": text, "line": finding.line} if {
    some finding in input.plan.findings
    finding.rule == "tier"
    not finding.accepted
    finding.subject in subjects
    text := sprintf("%s %s", [finding.sentence, finding.advice])
}

subjects := {input.service, sprintf("%s/%s", [input.environment.name, input.service])}
