# Keeps the labels, which find must give back, and says what of the rest a running machine cannot become.
# The run options are Go's compact JSON: inside of its strings every quote is escaped, so '"labels":[' can
# only be the key. Strings are cut out as they stand, escapes and all, and put together again.
options=${DEVCONTAINER_RUN_OPTIONS:-}
say() { printf 'devpod-provider-aci: %s\n' "$*"; }
refuse() { say "$* Remove it from devcontainer.json." >&2; exit 66; }

# The JSON string at the start of $rest, without its quotes, into $text.
string() {
  text=
  rest=${rest#\"}
  while :; do
    part=${rest%%\"*}
    rest=${rest#*\"}
    text=$text$part
    odd=
    while case $part in *\\) ;; *) false ;; esac do
      part=${part%?}
      if [ "$odd" ]; then odd=; else odd=1; fi
    done
    [ "$odd" ] || return 0
    text=$text\"
  done
}

case $options in
'{'*'}') ;;
*) say 'DEVCONTAINER_RUN_OPTIONS is not set or no JSON object' >&2; exit 65 ;;
esac
case $options in *'"privileged":true'*) refuse 'Container Instances runs no privileged containers.' ;; esac
case $options in *'"capAdd":["'*) say 'capAdd has no effect: Container Instances grants no capabilities.' ;; esac
case $options in *'"securityOpt":["'*) say 'securityOpt has no effect on Container Instances.' ;; esac

rest=${options#*'"image":'}
string
if [ "$text" != "${WORKSPACE_IMAGE:-}" ]; then
  say "image $text is not used: in machine mode the machine, made from WORKSPACE_IMAGE, is the dev container."
fi

case $options in
*'"env":{"'*)
  rest=${options#*'"env":{'}
  names=
  while case $rest in \"*) ;; *) false ;; esac do
    string
    case $text in DEVPOD | REMOTE_CONTAINERS | DEVPOD_WORKSPACE_ID | DEVPOD_WORKSPACE_UID) ;; *) names="$names $text" ;; esac
    rest=${rest#:}
    string
    rest=${rest#,}
  done
  if [ "$names" ]; then say "containerEnv is not set in machine mode:$names. Use remoteEnv."; fi
  ;;
esac

case $options in
*'"mounts":[{'*)
  rest=${options#*'"mounts":['}
  while case $rest in *'"target":"'*) ;; *) false ;; esac do
    rest=${rest#*'"target":'}
    string
    mkdir -p "$text"
    say "mount $text is a plain folder of the machine: it is lost when the machine stops."
  done
  ;;
esac

labels=
case $options in
*'"labels":["'*)
  rest=${options#*'"labels":['}
  while case $rest in \"*) ;; *) false ;; esac do
    string
    name=${text%%=*}
    case $text in *=*) value=${text#*=} ;; *) value= ;; esac
    labels=$labels${labels:+,}\"$name\":\"$value\"
    rest=${rest#,}
  done
  ;;
esac

umask 077
mkdir -p "$kept"
date -u +%Y-%m-%dT%H:%M:%SZ >"$kept/created"
echo running >"$kept/status"
printf '{%s}\n' "$labels" >"$kept/labels"
