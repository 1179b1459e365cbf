"""The audit report: one HTML page that needs nothing else, drawn with pygal and jinja2."""
