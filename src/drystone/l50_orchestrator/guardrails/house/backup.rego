package drystone.backup

import rego.v1

kinds := {"postgres", "bucket", "volume", "keyvalue", "search"}

hour := 3600

day := 86400

holding contains name if {
    some name, resource in input.declared.resources
    resource.type in kinds
}

line(name) := object.get(input.lines, sprintf("eternal.resources.%s", [name]), 0)

deny contains {"text": text, "line": line(name)} if {
    input.stacks.environment.tier <= 1
    some name in holding
    input.declared.resources[name].backup == null
    text := sprintf("no copies are made of the data of '%s': write 'backup: {every: …, keep: …}' there", [name])
}

deny contains {"text": text, "line": line(name)} if {
    input.stacks.environment.tier <= 1
    some name in holding
    backup := input.declared.resources[name].backup
    backup != null
    not backup.point_in_time
    backup.interval > day
    text := sprintf("between two copies of '%s' %d hours of data can be lost: write 'every: 24h' or less, or 'point_in_time: true'", [name, round(backup.interval / hour)])
}

deny contains {"text": text, "line": line(name)} if {
    input.stacks.environment.tier <= 1
    some name in holding
    backup := input.declared.resources[name].backup
    backup != null
    backup.keep < 7 * day
    text := sprintf("a mistake in '%s' that is noticed after %d days has no copy from before: write 'keep: 7d' or more", [name, round(backup.keep / day)])
}

warn contains {"text": text, "line": line(name)} if {
    input.stacks.environment.tier <= 1
    some name in holding
    backup := input.declared.resources[name].backup
    backup != null
    backup.restore_test > 31 * day
    text := sprintf("whether a copy of '%s' can be used is tried every %d days: write 'restore_test: 30d' or less", [name, round(backup.restore_test / day)])
}
