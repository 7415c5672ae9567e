package drystone.encryption

import rego.v1

deny contains {"text": text, "line": line} if {
    hosts := input.stacks.environment.egress
    hosts != null
    some host in hosts
    endswith(host, ":80")
    line := object.get(input.lines, "environment.egress", 0)
    text := sprintf("what is sent to %s can be read on the way: use its port 443", [host])
}

deny contains {"text": text, "line": line} if {
    some name, value in input.stacks.resources.env
    some part in value
    is_string(part)
    contains(part, "@")
    regex.match("^(http|redis|postgres|postgresql|amqp|mongodb|ldap|ftp|smtp)://[^/@]*:[^/@]+@", part)
    line := object.get(input.lines, sprintf("resources.env.%s", [name]), 0)
    text := sprintf("%s holds a password and leads where it can be read on the way: make it a secret, and use TLS", [name])
}

# Caches and streams write to the disk, too.
stores if count(input.declared.resources) > 0

classes contains class if some class in input.declared.data

classes contains class if {
    some resource in input.declared.resources
    some class in resource.data
}

deny contains {"text": text} if {
    stores
    input.stacks.environment.tier <= 1
    input.plan.at_rest == "plain"
    text := sprintf("what tier %d stores lies in plain text on the disk of this platform: encrypt the disk, and set 'at_rest' to 'encrypted'", [input.stacks.environment.tier])
}

deny contains {"text": text} if {
    stores
    input.stacks.environment.tier > 1
    some class in classes
    input.plan.at_rest == "plain"
    text := sprintf("data of the class '%s' lies in plain text on the disk of this platform: encrypt the disk, and set 'at_rest' to 'encrypted'", [class])
}

sensitive if input.stacks.environment.tier <= 1

sensitive if count(classes) > 0

warn contains {"text": text} if {
    stores
    sensitive
    input.plan.at_rest == "unknown"
    text := "nobody says whether the disk of this platform is encrypted: its owner writes 'at_rest' into the settings"
}
