#!/bin/sh
# The main job in one terminal, on loopback only: a memcached that nobody else
# can reach, slabgate in front of it, one allowed and one denied call.
# With --once it exits after the story; without, it stays until Ctrl-C.
set -eu
cd "$(dirname "$0")"
. ./scripts/need.sh
need_go && need_tool memcached memcached

dir=$(mktemp -d /tmp/slabgate-demo.XXXXXX)
chmod 711 "$dir"
as="" user=""
if [ "$(id -u)" = 0 ]; then # slabgate never runs as root, and neither does memcached
	as="setpriv --reuid=65534 --regid=65534 --clear-groups" user="-u nobody"
fi
mc="" sg=""
clean() { kill $sg $mc 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$dir"; }
trap clean EXIT
trap 'exit 130' INT TERM

go build -buildvcs=false -o "$dir/" ./cmd/slabgate ./internal/democlient
mkdir -m 700 "$dir/run" && cp demo/*.yaml "$dir/run"
sed -i "s|DIR|$dir/run|g" "$dir/run/slabgate.yaml"
"$dir/slabgate" cert dev --dir "$dir/run/tls" --client shop --client blog >/dev/null
if [ -n "$as" ]; then chown -R 65534:65534 "$dir/run"; fi

# shellcheck disable=SC2086 # the words of $as and $user are words
$as memcached $user -s "$dir/run/mc.sock" -a 0600 -U 0 & mc=$!
# shellcheck disable=SC2086
$as "$dir/slabgate" run --dev -c "$dir/run/slabgate.yaml" 2>"$dir/log" & sg=$!
port="" tries=0
while [ -z "$port" ] && [ $((tries += 1)) -le 100 ] && sleep 0.1; do
	port=$(sed -n 's/.*"main tls 127.0.0.1:\([0-9]*\)".*/\1/p' "$dir/log")
done
[ -n "$port" ] || { echo "slabgate did not start:"; cat "$dir/log"; exit 1; }

call() { # IDENTITY [-data VALUE] COMMAND...
	who=$1 && shift
	"$dir/democlient" -addr "127.0.0.1:$port" -ca "$dir/run/tls/ca.pem" \
		-cert "$dir/run/tls/client-$who.pem" -key "$dir/run/tls/client-$who-key.pem" "$@" 2>&1 || true
}
story() { # WHAT GOT WANT
	printf '%-36s %s\n' "$1" "$2"
	[ "$2" = "$3" ] || { echo "the story should say: $3"; exit 1; }
}
echo "memcached  unix:$dir/run/mc.sock   nobody else can reach it"
echo "slabgate   127.0.0.1:$port   TLS 1.3, client certificate, per-key policy"
story 'set cart:1 as "shop"' "$(call shop -data apple set cart:1 0 60 5)" "STORED"
story 'get cart:1 as "shop"' "$(call shop get cart:1)" "VALUE cart:1 0 5"
story 'get cart:1 as "blog"' "$(call blog get cart:1)" "CLIENT_ERROR access denied"
story 'flush_all  as "shop"' "$(call shop flush_all)" "CLIENT_ERROR access denied"
"$dir/slabgate" explain --dev -c "$dir/run/slabgate.yaml" --as shop --cmd flush_all | sed 's/^/    /' >"$dir/why"
cat "$dir/why" && grep -q '@flush' "$dir/why"
story 'get cart:1 without TLS' "$("$dir/democlient" -addr "127.0.0.1:$port" get cart:1 2>/dev/null || echo refused)" "refused"
[ "${1:-}" = --once ] && exit 0
echo "Ctrl-C ends it. Try: $dir/slabgate explain --dev -c $dir/run/slabgate.yaml --as blog --cmd 'get cart:1'"
wait $sg
