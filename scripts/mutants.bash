# Sourced by scripts/*-mutants: a copy of the tree in which one thing is broken on purpose.
#
# shellcheck shell=bash disable=SC2154
# Wants $root; gives $scratch, and in it $tree and $build.  The caller has set -e and says fail().

scratch=$(mktemp -d "${TMPDIR:-/tmp}/weir-mutants.XXXXXX")
tree=$scratch/tree build=$scratch/build

# Another scratch directory is no reason to compile anew.
export CCACHE_BASEDIR=$scratch CCACHE_NOHASHDIR=1

copy_tree() { # option of meson setup...
	mkdir "$tree"
	(cd "$root" && git ls-files --cached --others --exclude-standard -z |
		while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
		tar --create --null --files-from=- --file=-) | tar --extract --directory="$tree" --file=-
	meson setup --buildtype=debugoptimized "$@" "$build" "$tree" >"$scratch/log" 2>&1 || {
		cat "$scratch/log" >&2
		fail "the copy cannot be configured"
	}
}

build_copy() { # target...
	ninja -C "$build" "$@" >"$scratch/log" 2>&1
}

apply_mutant() { # patch
	patch --directory="$tree" --strip=1 --fuzz=0 --quiet --forward <"$1" >"$scratch/log" 2>&1
}

revert_mutant() { # patch
	patch --directory="$tree" --strip=1 --quiet --reverse <"$1" >/dev/null
}
