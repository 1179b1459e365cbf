# DevPod may name a user as Docker does: a name, a number, either with a group.
user=${DEVCONTAINER_USER:-root}
user=${user%%:*}
case $user in
*[!0-9]*) ;;
*) while IFS=: read -r name _ number _; do [ "$number" != "$user" ] || { user=$name && break; }; done </etc/passwd ;;
esac
text=$DEVCONTAINER_COMMAND
unset DEVCONTAINER_COMMAND @OPTIONS@
if [ "$(id -un 2>/dev/null)" = "$user" ] || [ "$(id -u)" = "$user" ]; then exec /bin/sh -c "$text"; fi
if [ "$(id -u)" = 0 ]; then exec su -s /bin/sh -c "$text" "$user"; fi
exec sudo -n -E -u "$user" /bin/sh -c "$text"
