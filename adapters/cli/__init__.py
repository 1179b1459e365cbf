"""The command line: thin click commands, one file a group of verbs."""
