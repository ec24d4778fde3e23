"""Results that have a name: `project/name:version`, with weights of their own and where they come from."""
