#!/usr/bin/env bash
# Announces a release from CI. The job may run twice: with its key the announcement goes out once.
#
#   examples/announce_release.sh v1.2.0 notes.md
#
# The command line talks to the gateway on the gateway's own machine. From another one, go there:
#   MULTIHOME="ssh bots.example.org multihome" MULTIHOME_CONFIG=/srv/multihome/multihome.toml
set -euo pipefail
tag=$1
notes=$2

# It becomes part of a command, by way of ssh even of a shell's: what could mean something there is no release.
if [[ ! $tag =~ ^[A-Za-z0-9][A-Za-z0-9._+-]*$ ]]; then
  printf 'announce_release: the tag %q has other characters than letters, digits, ".", "_", "+" and "-"\n' "$tag" >&2
  exit 2
fi

# Not quoted: it may be a command with arguments.
# shellcheck disable=SC2086
${MULTIHOME:-multihome} announce - --key "release-$tag" --config "${MULTIHOME_CONFIG:-multihome.toml}" --json <"$notes"
