package drystone.protect

import rego.v1

deny contains {"text": text, "line": line} if {
    some name, resource in input.stacks.eternal.resources
    resource.type != "cache"
    not resource.protect
    line := object.get(input.lines, sprintf("eternal.resources.%s.protect", [name]), object.get(input.lines, sprintf("eternal.resources.%s", [name]), 0))
    text := sprintf("whoever removes '%s' from the descriptor deletes its data: remove 'protect: false'", [name])
}
