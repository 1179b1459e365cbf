echo running >"$kept/status"
