# A container's first process: has the agent fetched beside it, and becomes what it was to be.
facts=$DEVPOD_ACI_AGENT
unset DEVPOD_ACI_AGENT
/bin/sh -c "$1" place "$1" "$facts" </dev/null >/dev/null 2>&1 &
shift
exec "$@"
