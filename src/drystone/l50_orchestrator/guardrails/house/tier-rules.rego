package drystone.tier_rules

import rego.v1

is_high if input.stacks.environment.tier <= 1

deny contains {"text": text, "line": line} if {
    is_high
    some name, group in input.stacks.deployment.groups
    group.serves
    group.instances < 2
    line := object.get(input.lines, sprintf("deployment.groups.%s.instances", [name]), object.get(input.lines, sprintf("deployment.groups.%s", [name]), 0))
    text := sprintf("tier %d needs at least 2 instances, and '%s' has %d: write 'scale: {min: 2}'", [input.stacks.environment.tier, name, group.instances])
}

deny contains {"text": text} if {
    is_high
    input.stacks.environment.claims.slo == null
    text := sprintf("tier %d promises something to its users: write 'slo: {availability: 99.9%%}'", [input.stacks.environment.tier])
}

deny contains {"text": text} if {
    is_high
    input.declared.oncall == null
    text := sprintf("tier %d has somebody who is woken up: write 'owner: {team: %s, oncall: <rota>}'", [input.stacks.environment.tier, input.team])
}

deny contains {"text": text, "line": line} if {
    is_high
    input.stacks.route.strategy == "cutover"
    line := object.get(input.lines, "route.strategy", 0)
    text := "a cutover ends the old release before the new one serves: choose 'deploy: {strategy: blue-green}'"
}

deny contains {"text": text, "line": line} if {
    is_high
    some name, needed in input.stacks.environment.dependencies
    needed.needs == "soft"
    needed.without == null
    line := object.get(input.lines, sprintf("environment.dependencies.%s", [name]), 0)
    text := sprintf("nobody says what happens without '%s': write 'without: …', or make the dependency hard", [name])
}
