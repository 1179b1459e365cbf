"""Azure Resource Manager as container groups see it: routes, checks, operations, answers."""
