#!/bin/sh
# Every test there is. The last line is "N passed, N failed, N skipped".
#   CI=true        installs every tool a check needs, so that nothing is skipped
#   SLABGATE_LONG=1  runs the long form of the long tests
set -u
cd "$(dirname "$0")" || exit 1
. ./scripts/need.sh
need_go && need_tool memcached memcached
if [ "${CI:-}" = true ]; then
	apt_install gcc libc6-dev libmemcached-tools python3-pymemcache nftables systemd shellcheck mandoc openssl util-linux iproute2 prometheus ||
		echo "some tools are missing and their checks will be skipped"
	apt_install python3-pylibmc php-cli php-memcached ruby ruby-dalli libsasl2-modules chromium && need_npm ||
		echo "some client libraries are missing and their tests will be skipped"
fi
GOFLAGS="${GOFLAGS:-} -mod=readonly" && export GOFLAGS
out=$(mktemp -d /tmp/slabgate-test.XXXXXX) && trap 'rm -rf "$out"' EXIT
passed=0 failed=0 skipped=0

# check NAME COMMAND... counts one check. SKIP is an exit code of 77.
check() {
	name=$1 && shift
	"$@" >"$out/log" 2>&1
	case $? in
	0) passed=$((passed + 1)) && echo "ok    $name" ;;
	77) skipped=$((skipped + 1)) && echo "SKIP  $name: $(tail -n 1 "$out/log")" ;;
	*) failed=$((failed + 1)) && echo "FAIL  $name" && cat "$out/log" ;;
	esac
}
with() { command -v "$1" >/dev/null || { echo "$1 is not installed: apt-get install $2"; return 77; }; }
formatted() { files=$(gofmt -l .) && echo "$files" && [ -z "$files" ]; }
staticcheck() { go run -modfile=scripts/tools/go.mod honnef.co/go/tools/cmd/staticcheck ./...; }
scripts() { with shellcheck shellcheck || return; shellcheck -x demo.sh test.sh scripts/*.sh .ci/run bench/run; }
pipelines() { SLABGATE_LONG=1 go test -count=1 -timeout 20m -run '^TestPipelinesAgreeWithTheModel$' ./proxy; }
manpages() { with mandoc mandoc || return; mandoc -T lint -W warning docs/man/*.[1-8]; }

check "gofmt" formatted
check "go vet" go vet ./...
check "staticcheck" staticcheck
check "shellcheck" scripts
check "man pages" manpages
check "demo" ./demo.sh --once
check "a million pipelines" pipelines

race="-race"
with gcc gcc >"$out/log" || { race="" && skipped=$((skipped + 1)) && echo "SKIP  race detector: $(cat "$out/log")"; }
go test -json -count=1 $race -timeout 30m ./... >"$out/json" 2>"$out/err"
code=$?
go run ./scripts/summary <"$out/json" >"$out/summary" || code=1
grep -v '^counts ' "$out/summary"
cat "$out/err"
read -r _ p f s <<-END
	$(grep '^counts ' "$out/summary" || echo "counts 0 1 0")
END
passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
[ "$code" = 0 ] || [ "$failed" != 0 ] || failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
