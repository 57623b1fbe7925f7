# shellcheck shell=sh
# What demo.sh and test.sh need of the machine, installed by apt where it may be.

# need_go ends the script unless Go is there and new enough.
need_go() {
	want=$(sed -n 's/^go //p' go.mod)
	have=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//')
	if [ -z "$have" ]; then
		echo "Go $want or newer is needed and no go was found: see https://go.dev/doc/install" >&2
		exit 69
	fi
	if [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)" != "$want" ]; then
		echo "Go $want or newer is needed, this is $have: see https://go.dev/doc/install" >&2
		exit 69
	fi
}

# apt_install PACKAGE... installs as root, or with a sudo that asks nothing.
apt_install() {
	command -v apt-get >/dev/null || return 1
	sudo=""
	if [ "$(id -u)" != 0 ]; then sudo="sudo -n" && $sudo true 2>/dev/null || return 1; fi
	if [ -z "${apt_updated:-}" ]; then $sudo apt-get update -qq >&2 || true; fi
	apt_updated=1
	DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >&2
}

# need_tool COMMAND PACKAGE ends the script unless COMMAND is there or can be
# installed.
need_tool() {
	command -v "$1" >/dev/null && return 0
	if ! apt_install "$2" || ! command -v "$1" >/dev/null; then
		echo "$1 is needed: as root, run: apt-get install -y --no-install-recommends $2" >&2
		exit 69
	fi
}

# need_npm installs Node.js and npm unless they are there. Debian's npm brings
# another Node.js along, so that it is asked for only where there is none.
need_npm() {
	command -v node >/dev/null && command -v npm >/dev/null && return 0
	apt_install nodejs npm
}
