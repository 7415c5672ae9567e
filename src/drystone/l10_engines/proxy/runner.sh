# The parent of an Envoy: starts it again when it dies, even while the agent is dead as well.
#   runner.sh ENVOY FIRST LAST_GOOD ARGUMENT...      in the folder of one generation of the proxy
# The first start gets its configuration from the agent. A restart takes the last configuration that was
# accepted, from disk, so that it needs nobody; the agent, when it lives, then replaces that Envoy. An
# Envoy that ends is started again as long as the folder holds a file "stay": taking that away, or the
# whole folder, is how a generation ends. Constant: nothing of a service ever becomes part of this text.
envoy=$1 config=$2 last_good=$3 child='' ended='' failures=0
shift 3
trap 'ended=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT HUP
ulimit -n "$(ulimit -H -n)"
while [ -z "$ended" ] && [ -e stay ]; do
    began=$(date +%s)
    "$envoy" --config-path "$config" "$@" &
    child=$!
    # A signal ends the wait early, so it is asked for until the child is gone.
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    child=''
    if [ -n "$ended" ] || [ ! -e stay ]; then break; fi
    echo "drystone: the proxy ended; starting it again after $failures s"
    [ -e "$last_good" ] && config=$last_good
    sleep "$failures" &
    wait $!
    # An Envoy that lived for a while starts again at once, one that cannot live ever more slowly.
    if [ $(($(date +%s) - began)) -ge 10 ]; then failures=0; elif [ "$failures" -lt 5 ]; then failures=$((failures + 1)); fi
done
