#!/bin/sh
# One machine's whole life on the emulator, as DevPod would drive it, and the log it leaves.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ACI_EVENT_LOG="$work/events.jsonl"
export MACHINE_ID=demo MACHINE_CONTEXT=default
export AZURE_RESOURCE_GROUP=devpod-demo AZURE_REGION=westeurope

step() {
    printf '\n\033[1m$ %s\033[0m\n' "$*"
    "$@"
}

step devpod-provider-aci init
step devpod-provider-aci status
step devpod-provider-aci create
step devpod-provider-aci status
printf '\n\033[1m$ echo "hello, bytes" | COMMAND="tr a-z A-Z; uname -sm >&2; exit 7" devpod-provider-aci command\033[0m\n'
status=0
echo "hello, bytes" | COMMAND="tr a-z A-Z; uname -sm >&2; exit 7" devpod-provider-aci command || status=$?
echo "exit status: $status"
[ "$status" = 7 ]
printf '\n\033[1m$ 16 MiB of random bytes there and back\033[0m\n'
head -c 16777216 /dev/urandom >"$work/random"
COMMAND=cat devpod-provider-aci command <"$work/random" >"$work/echoed"
cmp "$work/random" "$work/echoed" && echo "identical"
step devpod-provider-aci stop
step devpod-provider-aci status
step devpod-provider-aci start
step devpod-provider-aci status
step devpod-provider-aci delete
step devpod-provider-aci status
step devpod-provider-aci history
step devpod-provider-aci verify
