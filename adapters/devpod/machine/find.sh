# Prints nothing at all when there is no dev container: one byte would be taken for its description.
if [ -s "$kept/labels" ]; then
  created=$(cat "$kept/created")
  printf '{"ID":"%s","Created":"%s","State":{"Status":"%s","StartedAt":"%s"},"Config":{"Labels":%s}}\n' \
    "$DEVCONTAINER_ID" "$created" "$(cat "$kept/status")" "$created" "$(cat "$kept/labels")"
fi
