package drystone.backup

import rego.v1

kinds := {"postgres", "bucket", "volume"}

# A way back comes without a plan, which alone knows what is written.
written(_) if input.kind == "rollback"

written(path) if {
    some note in input.noted
    startswith(note.path, path)
}

deny contains {"text": text, "line": line} if {
    input.stacks.environment.tier <= 1
    some name, resource in input.stacks.eternal.resources
    resource.type in kinds
    not written(sprintf("resources.%s.backup", [name]))
    line := object.get(input.lines, sprintf("eternal.resources.%s", [name]), 0)
    text := sprintf("nobody says how the data of '%s' comes back: write 'backup: …' there", [name])
}
