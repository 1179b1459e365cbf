# Only said to DevPod: the machine goes on running, and being billed, until the machine itself is stopped.
if [ -d "$kept" ]; then echo exited >"$kept/status"; fi
