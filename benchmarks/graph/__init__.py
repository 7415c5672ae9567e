"""What the analyses of the dependency graph take, each number beside its baseline."""
