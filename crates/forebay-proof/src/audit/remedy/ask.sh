# Ends the script where the answer is no success: redis-cli itself takes no notice.
check() {
    case $2 in
        OK | [0-9]* | *' started' | *' scheduled') ;;
        *) echo "$1: ${2:-no answer}" >&2; exit 1 ;;
    esac
}
ask() { answer=$(cli "$@") || answer="no answer"; check "$*" "$answer"; }
at_prompt() { answer=$(printf '%s\n' "$1" | cli) || answer="no answer"; check "$1" "$answer"; }
# Until the first AOF is whole, a restart would lose what is held. Ten minutes, and it is to be looked into.
until_rewritten() {
    tries=0
    while cli INFO persistence | tr -d '\r' | grep -q -E '^aof_rewrite_(in_progress|scheduled):1$'; do
        tries=$((tries + 1))
        [ "$tries" -le 600 ] || { echo "the AOF is still being written: look into it" >&2; exit 1; }
        sleep 1
    done
    cli INFO persistence | tr -d '\r' | grep -q '^aof_last_bgrewrite_status:ok$' ||
        { echo "the AOF could not be written: see the server's log" >&2; exit 1; }
}
