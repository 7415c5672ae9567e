package drystone.required_owner

import rego.v1

deny contains {"text": "the service has no owner: write 'owner: <team>'"} if {
    input.stacks.environment.owner == ""
}

deny contains {"text": text, "line": line} if {
    owner := input.stacks.environment.owner
    owner != ""
    owner != input.team
    line := object.get(input.lines, "environment.owner", 0)
    text := sprintf("the descriptor says that %s owns it, but it belongs to %s: write 'owner: %s', or have it transferred", [owner, input.team, input.team])
}

deny contains {"text": "it has no tags: write 'tags: {<key>: <value>}', so that cost and catalogue find it"} if {
    count(input.declared.tags) == 0
}

warn contains {"text": "nobody is told what it is for: write 'description: …'"} if {
    input.stacks.environment.description == null
}
