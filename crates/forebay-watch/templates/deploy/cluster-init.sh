#!/bin/sh
# Makes a cluster of nodes that are empty, once. Where it is made, nodes that have another address now are made known again.
#
#   REDISCLI_AUTH=password sh cluster-init.sh REPLICAS HOST:PORT...
#
# The first nodes become masters. It ends with 0 when every slot is covered.
set -eu

replicas=$1
shift
tries=120

ask() {
  place=$1
  shift
  redis-cli -h "${place%:*}" -p "${place##*:}" "$@" | tr -d '\r'
}

# Nodes meet by address: the bus takes no names.
address() {
  getent ahostsv4 "${1%:*}" | { read -r ip _ && echo "$ip"; }
}

wait_until() {
  what=$1
  shift
  left=$tries
  until "$@"; do
    left=$((left - 1))
    if [ "$left" -eq 0 ]; then
      echo "after $tries s it is not so that $what" >&2
      exit 1
    fi
    sleep 1
  done
}

answers() { [ "$(ask "$1" ping 2>/dev/null)" = PONG ]; }

says() { ask "$first" cluster info | grep -qx "$1"; }

is_whole() { says cluster_state:ok && says cluster_slots_assigned:16384; }

first=$1
places=
for node in "$@"; do
  wait_until "$node answers" answers "$node"
  places="$places $(address "$node"):${node##*:}"
done

if says cluster_known_nodes:1; then
  # Words on purpose: one place each.
  # shellcheck disable=SC2086
  redis-cli --cluster create $places --cluster-replicas "$replicas" --cluster-yes
else
  for place in $places; do
    ask "$first" cluster meet "${place%:*}" "${place##*:}" >/dev/null
  done
fi
wait_until "every slot is covered (redis-cli --cluster check $first says what is missing)" is_whole
