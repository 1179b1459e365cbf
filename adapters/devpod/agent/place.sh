# Fetches DevPod's agent and puts it where DevPod looks for it: whole and checked, or not at all. $1 is this text.
umask 077
if ! { mkdir -p "${path%/*}/" && { mkdir "$kept" || [ -O "$kept" ]; } && true >>"$kept/log"; } 2>/dev/null; then
  [ "$(id -u)" = 0 ] || exec sudo -n -E /bin/sh -c "$1" place "$@"
  exit 1
fi
have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$version: $1" >>"$kept/log"; }
fail() {
  say "$1"
  printf '%s\n' "$wanted" >"$kept/failed"
  exit 1
}
for each in "$kept"/*.part "$kept"/*.ready; do lives "$each" || rm -f "$each"; done
part=$kept/$$.part
ready=$kept/$$.ready
fetching='' watching=''
trap 'kill $fetching $watching; rm -f "$part" "$ready"' EXIT
trap 'exit 1' HUP INT TERM
true >"$part"
if right "$path"; then exit 0; fi
case $(uname -sm) in 'Linux x86_64') ;; *) fail 'the release is for linux on amd64' ;; esac

if have sha256sum; then
  digest() { sha256sum; }
elif have openssl; then
  digest() { openssl dgst -sha256 -r; }
elif have busybox; then
  digest() { busybox sha256sum; }
elif have python3; then
  digest() { python3 -c 'import hashlib,sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'; }
else
  fail 'not fetched: no sha256sum, openssl, busybox or python3 to check it with'
fi

# Without the tools' own time limits: each calls them something else, and some builds of busybox wget crash on theirs.
if have curl; then
  fetch() { exec curl -fsSL -o "$part" "$url"; }
elif have wget; then
  fetch() { exec wget -q -O "$part" "$url"; }
elif have busybox; then
  fetch() { exec busybox wget -q -O "$part" "$url"; }
elif have python3; then
  fetch() {
    exec python3 -c 'import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1]) as far, open(sys.argv[2], "wb") as near:
    shutil.copyfileobj(far, near, 1 << 20)' "$url" "$part"
  }
else
  fail 'not fetched: no curl, wget, busybox or python3 to fetch it with'
fi
# Ends the fetch when there was no first byte for 3 seconds, no further one for 5, when it takes 180, and with us.
watch() {
  spent=0 idle=0 before=0 patience=3
  while sleep 1; do
    now=$(size "$part")
    spent=$((spent + 1)) idle=$((idle + 1))
    if [ "$now" != "$before" ]; then before=$now idle=0 patience=5; fi
    if [ $spent -ge 180 ] || [ $idle -ge $patience ] || ! lives "$part"; then
      kill $fetching
      exit
    fi
  done
}
fetch &
fetching=$!
watch &
watching=$!
wait $fetching
status=$?
kill $watching
fetching='' watching=''
[ $status = 0 ] || fail "the fetch ended with status $status"
mv "$part" "$ready"
case $(digest <"$ready") in "$sha256"*) ;; *) fail 'refused: the SHA-256 of what came is another one' ;; esac
chmod 755 "$ready"
right "$ready" || fail 'refused: what came does not run here'
right "$path" || mv -f "$ready" "$path" || fail "$path cannot be written"
printf '%s\n' "$wanted" >"$kept/placed"
say placed
