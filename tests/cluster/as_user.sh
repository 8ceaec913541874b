#!/usr/bin/env bash
# Runs a command as an ordinary user who may use the lab's Docker engine and Apptainer:  as_user.sh COMMAND...
#
# It is `someone`, or whom WHO names. The machine stays as it is: only this command sees a user `someone`, a /dev/fuse
# that is open to all, and in /usr/bin the programs of an old cluster ($LAB/docker/programs) where OLD is set.
PART=docker
set -euo pipefail
# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"

if [ "${IN_OWN_MOUNTS:-}" != yes ]; then
  IN_OWN_MOUNTS=yes exec unshare --mount bash "$0" "$@"
fi
mount --bind "$PREFIX/passwd" /etc/passwd
mount --bind "$PREFIX/group" /etc/group
[ ! -e /dev/fuse ] || mount --bind "$PREFIX/fuse" /dev/fuse
[ -z "${OLD:-}" ] || mount -t overlay overlay -o "lowerdir=$PREFIX/programs:/usr/bin" /usr/bin
who=${WHO:-someone}
unset IN_OWN_MOUNTS OLD WHO
[ "$who" = someone ] && groups=--init-groups || groups=--groups=$(id -G "$who" | tr ' ' ,),2001 # of the engine's socket
exec setpriv --reuid "$who" --regid "$(id -g "$who")" "$groups" "$@"
