"""What the commands about dependencies share: where the model comes from, and how a search is watched and interrupted."""
