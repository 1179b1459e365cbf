#!/bin/sh
# Installs what only tests need and PyPI does not have, where that is possible without asking anybody.
set -eu
missing=""
command -v ssh >/dev/null 2>&1 || missing="$missing openssh-client"
[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
command -v busybox >/dev/null 2>&1 || missing="$missing busybox-static"
command -v zsh >/dev/null 2>&1 || missing="$missing zsh"
command -v mksh >/dev/null 2>&1 || missing="$missing mksh"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
[ -z "${ACI_SLOW_TESTS:-}" ] || command -v debootstrap >/dev/null 2>&1 || missing="$missing debootstrap"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list of package names
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >/dev/null 2>&1 && exit 0
fi
echo "not installed, so some tests will be skipped:$missing" >&2
