"""New projects from templates, and later versions of a template brought into a project that people changed.

A template is a folder: a manifest, which says its version and what it asks, and files with places for the answers. A project keeps
what it was made from (``.drystone/template.json``), so that an update is a merge of three texts: what the template gave then, what people
made of it, what the template gives now.
"""
