rm -rf "$kept"
