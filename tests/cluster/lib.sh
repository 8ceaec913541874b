# shellcheck shell=bash disable=SC2034,SC2153 # PORT is for the parts, PART is theirs
# What every part of the lab goes by: its folder, its ports, and Debian sid's packages unpacked into a prefix.
#
# Nothing is installed on the machine: packages are unpacked under $LAB, run with the C library that came with them
# and are gone when the folder is removed. An existing installation of the same tools is neither used nor touched.

LAB=${SIFMIGRATE_LAB:-/opt/sifmigrate-lab} # not under /tmp or a home: Apptainer mounts those, which would hide faults
PORT=${SIFMIGRATE_LAB_PORT:-26800}         # Slurm: +17, +1017 and from +100 on; Grid Engine: +201 and +202
PREFIX=$LAB/$PART
LIB=$PREFIX/usr/lib/$(uname -m)-linux-gnu

# Ends this part, and says what cannot be tested for it: the tests repeat the reason.
missing() {
  mkdir -p "$LAB/missing"
  echo "$*" | tee "$LAB/missing/$PART" >&2
  exit 0
}

# An apt that reads Debian sid from the mirror that this machine's own apt uses, and leaves the machine's apt alone.
sid() {
  local program=$1 apt=$LAB/apt
  shift
  "$program" -qq -o Dir="$apt" -o Dir::State::status="$apt/status" -o APT::Sandbox::User=root "$@"
}

debian_mirrors() {
  # shellcheck disable=SC2016 # apt's own variables
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null
}

read_sid() {
  local mirror key=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -e "$LAB/apt/ready" ] && return
  command -v apt-get dpkg-deb >/dev/null || missing "no apt-get and dpkg-deb here: the lab is made of Debian packages"
  [ -e "$key" ] || missing "no $key here: Debian's packages cannot be checked"
  [ -n "$(debian_mirrors)" ] || apt-get update -qq >/dev/null 2>&1 || true
  read -r mirror < <(debian_mirrors) || missing "apt has no Debian mirror to read packages from"
  mkdir -p "$LAB"/apt/etc/apt/{apt.conf.d,preferences.d,sources.list.d} "$LAB"/apt/var/{cache/apt/archives,lib/apt/lists}/partial
  : >"$LAB/apt/status"
  echo "deb [signed-by=$key] $mirror sid main" >"$LAB/apt/etc/apt/sources.list"
  sid apt-get update >&2 || missing "Debian sid cannot be read from the mirror that apt uses here"
  : >"$LAB/apt/ready"
}

# Unpacks these packages and the libraries that they need into $PREFIX.
unpack() {
  local wanted
  read_sid
  # What apt would install on an empty system, less what is neither asked for nor a shared library.
  wanted=$(sid apt-get install -s --no-install-recommends "$@" 2>/dev/null | awk '/^Inst/ {print $2}') ||
    missing "Debian sid has not all of: $*"
  # shellcheck disable=SC2046 # one word a package
  unpack_just $(grep -E -x "lib.*|zlib.*|$(tr ' ' '|' <<<"$*")" <<<"$wanted")
}

unpack_just() {
  local deb
  read_sid
  rm -rf "${PREFIX:?}"
  mkdir -p "$PREFIX/debs"
  (cd "$PREFIX/debs" && sid apt-get download "$@" >&2) || missing "packages of Debian sid cannot be downloaded"
  for deb in "$PREFIX"/debs/*.deb; do dpkg-deb -x "$deb" "$PREFIX"; done
  rm -rf "${PREFIX:?}"/{debs,usr/share/{doc,i18n,info,locale,man,perl}}
}

# Makes programs and plugins run with the libraries in $PREFIX.
own_libraries() {
  local loader file
  loader=$(echo "$LIB"/ld-linux-*.so.*)
  for file in "$@"; do
    case $file in
      *.so) ;;
      *) "$loader" --library-path "$LIB" "$PREFIX/usr/bin/patchelf" --set-interpreter "$loader" "$file" ;;
    esac
    # DT_RPATH, which libraries of libraries inherit; DT_RUNPATH they do not.
    "$loader" --library-path "$LIB" "$PREFIX/usr/bin/patchelf" --force-rpath --set-rpath "$LIB/slurm-wlm:$LIB" "$file"
  done
}

# Whether the daemon of a pid file is alive and this lab's own: pids are reused, and a zombie has no command line.
alive() {
  [ -s "$1" ] && tr '\0' ' ' 2>/dev/null <"/proc/$(<"$1")/cmdline" | grep -qF "$LAB/"
}

# Daemons inherit neither this script's streams (a pipe would never end) nor the caller's environment; a part
# may give them variables before the command.
daemon() { env -i PATH="$LAB/node/bin" "$@" </dev/null >/dev/null 2>&1; }

# Waits up to 30 s for what a command says; else ends with the log.
await() {
  local log=$1 _
  shift
  for _ in {1..300}; do
    "$@" && return
    sleep 0.1
  done
  echo "$PART: not up after 30 s: $*; the end of $log:" >&2
  tail -n 20 "$log" >&2
  exit 1
}

# Ends exactly those daemons of these pid files that this lab started.
end() {
  local file pids=() _
  for file in "$@"; do
    if alive "$file"; then
      kill "$(<"$file")"
      pids+=("$file")
    fi
  done
  for file in "${pids[@]}"; do
    for _ in {1..200}; do
      alive "$file" || continue 2
      sleep 0.05
    done
    kill -9 "$(<"$file")"
  done
}
