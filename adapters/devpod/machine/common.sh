# In machine mode the machine is the dev container. What "docker" would keep about it is three small files.
set -u
case ${DEVCONTAINER_ID:-} in
'' | */*)
  echo "devpod-provider-aci: DEVCONTAINER_ID is missing; DevPod sets it" >&2
  exit 64
  ;;
esac
kept=/var/lib/devpod-provider-aci
if ! mkdir -p "$kept" 2>/dev/null || ! [ -w "$kept" ]; then kept=${HOME:-/tmp}/.devpod-provider-aci; fi
kept=$kept/$DEVCONTAINER_ID
