package drystone.public_exposure

import rego.v1

deny contains {"text": text, "line": line} if {
    input.stacks.environment.public
    line := object.get(input.lines, "environment.public", 0)
    text := "everybody may reach it: let people sign in ('network: {ingress: {staff: true}}', or groups), or have an exception named for it"
}

deny contains {"text": text, "line": line} if {
    doors := object.get(input.stacks.environment, "doors", null)
    doors != null
    some match, door in doors
    door.public == true
    line := object.get(input.lines, sprintf("environment.doors.%s.public", [match]), 0)
    text := sprintf("everybody may send '%s': let people sign in there, or have an exception named for it", [match])
}

deny contains {"text": text, "line": line} if {
    input.stacks.environment.shadow == true
    line := object.get(input.lines, "environment.shadow", 0)
    text := "who may not call is let through and only written down: remove 'enforce: false'"
}

warn contains {"text": "everybody may call it as often as they like: write 'limits: …'"} if {
    input.stacks.environment.public
    count(input.stacks.environment.limits) == 0
}

deny contains {"text": text, "line": line} if {
    some name, resource in input.declared.resources
    resource.public
    line := object.get(input.lines, sprintf("eternal.resources.%s", [name]), 0)
    text := sprintf("everybody may read '%s': remove 'public: true', or have an exception named for it", [name])
}

deny contains {"text": text} if {
    some name, resource in input.declared.resources
    resource.type == "edge-route"
    text := sprintf("'%s' is a way in for everybody outside: let people sign in, or have an exception named for it", [name])
}
