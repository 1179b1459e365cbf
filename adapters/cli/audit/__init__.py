"""The verbs that answer from the event log alone: `audit` and those below it, `replay`, `explain`."""
