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

warn contains {"text": text, "line": note.line} if {
    some note in input.noted
    regex.match("^(data|resources\\.[^.]+\\.data)$", note.path)
    count(input.stacks.eternal.resources) > 0
    text := "data of a class is declared, and its resources are as encrypted as the disk that they lie on: nothing else encrypts them yet"
}
