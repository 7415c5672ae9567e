package drystone.pinned_artefacts

import rego.v1

artefact := input.stacks.resources.artifact

line := object.get(input.lines, "resources.artifact.ref", 0)

last := parts[count(parts) - 1] if {
    artefact.type == "image"
    parts := split(artefact.ref, "/")
}

deny contains {"text": text, "line": line} if {
    artefact.type == "image"
    not contains(artefact.ref, "@sha256:")
    not contains(last, ":")
    text := sprintf("'%s' is whatever is newest at the moment: name a version, or better a digest (@sha256:…)", [artefact.ref])
}

deny contains {"text": text, "line": line} if {
    artefact.type == "image"
    not contains(artefact.ref, "@sha256:")
    endswith(last, ":latest")
    text := sprintf("'%s' is another image tomorrow: name a version, or better a digest (@sha256:…)", [artefact.ref])
}

warn contains {"text": text, "line": line} if {
    artefact.type == "image"
    input.artefact == null
    not contains(artefact.ref, "@sha256:")
    contains(last, ":")
    not endswith(last, ":latest")
    text := sprintf("somebody can move the tag of '%s': a digest (@sha256:…) cannot be moved", [artefact.ref])
}

setup := concat(" ", artefact.setup) if artefact.type == "process"

deny contains {"text": "'npm install' takes what is newest: write 'npm ci', which takes what the lock file says"} if {
    regex.match("(^|[ ;&])(npm|pnpm|yarn) +(i|install)( |$)", setup)
    not contains(setup, "--frozen-lockfile")
}

deny contains {"text": "'pip install' takes what is newest: give it a lock file and --require-hashes"} if {
    regex.match("(^|[ ;&/])(pip[0-9.]*|uv pip) +install( |$)", setup)
    not contains(setup, "--require-hashes")
}
