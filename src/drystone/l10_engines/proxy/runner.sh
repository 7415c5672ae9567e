# The parent of an Envoy: starts it again when it dies, even while the agent is dead as well.
#   runner.sh ENVOY FIRST LAST_GOOD LEAST_GOOD BLOCKS SACRIFICE ARGUMENT...   in the folder of one generation
# The first start gets its configuration from the agent. A restart takes the last configuration that was
# accepted, from disk, so that it needs nobody; the agent, when it lives, then replaces that Envoy. If that
# one dies at once, a port of it may have been taken meanwhile: the next one opens only the edge's own. An
# Envoy that ends is started again as long as the folder holds a file "stay": taking that away, or the
# whole folder, is how a generation ends. No file that Envoy writes grows beyond so many blocks of 512 bytes:
# what exceeds them is not written, since nobody but an agent moves a log away. Constant: nothing of a service ever becomes part of this text.
envoy=$1 config=$2 last_good=$3 least_good=$4 blocks=$5 sacrifice=$6 child='' ended='' failures=0
shift 6
echo "$sacrifice" 2>/dev/null >/proc/self/oom_score_adj # by itself, before it has a child
trap 'ended=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT HUP
ulimit -n "$(ulimit -H -n)"
trap '' XFSZ # an Envoy that ignores it goes on when a file is full
ulimit -S -f "$blocks"
while [ -z "$ended" ] && [ -e stay ]; do
    began=$(date +%s)
    "$envoy" --config-path "$config" "$@" &
    child=$!
    # A signal ends the wait early, so it is asked for until the child is gone.
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    child=''
    if [ -n "$ended" ] || [ ! -e stay ]; then break; fi
    echo "drystone: the proxy ended; starting it again after $failures s"
    date +%s >>restarts
    [ -e "$last_good" ] && config=$last_good
    if [ $((failures % 2)) -eq 1 ] && [ -e "$least_good" ]; then config=$least_good; fi
    if [ "$failures" -gt 0 ]; then sleep "$failures" & wait $!; fi
    # An Envoy that lived for a while starts again at once, one that cannot live ever more slowly.
    if [ $(($(date +%s) - began)) -ge 10 ]; then failures=0; elif [ "$failures" -lt 5 ]; then failures=$((failures + 1)); fi
done
