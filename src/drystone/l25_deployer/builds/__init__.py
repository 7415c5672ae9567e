"""The build pillar: folders become immutable artefacts, named by their content."""
