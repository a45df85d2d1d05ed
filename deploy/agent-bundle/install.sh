#!/bin/sh
# Installs the agent of this host from the control plane: fetches the bundle for its architecture,
# compares it with the SHA-256 below, and makes a systemd unit of it; with --foreground it only runs
# it. Called by the line that `runm agent token create` prints, in a folder with ca.pem and token.
set -eu
umask 077

say() { printf '%s\n' "runmachine agent: $*"; }
die() { printf '%s\n' "runmachine agent: $*" >&2; exit 1; }

endpoint='' roles='vm' machines='' id='' dir='' foreground=no
while [ $# -gt 0 ]; do
  case $1 in
    --endpoint) endpoint=$2; shift ;;
    --roles) roles=$2; shift ;;
    --machine) machines="$machines $2"; shift ;;
    --id) id=$2; shift ;;
    --dir) dir=$2; shift ;;
    --foreground) foreground=yes ;;
    *) die "unknown option $1; known: --endpoint --roles --machine --id --dir --foreground" ;;
  esac
  shift
done
[ -n "$endpoint" ] || die '--endpoint is missing'
[ -n "$machines" ] || die '--machine is missing'
here=$(pwd)
[ -s "$here/ca.pem" ] || die 'ca.pem is not in this folder'
[ -s "$here/token" ] || die 'token is not in this folder'
if [ $foreground = no ] && [ "$(id -u)" != 0 ]; then
  die 'needs root to install a unit; or run it with --foreground'
fi

case $(uname -m) in
  x86_64 | amd64) arch=x86_64 ;;
  aarch64 | arm64) arch=aarch64 ;;
  *) die "no bundle for $(uname -m)" ;;
esac
case $arch in
@BUNDLES@
  *) die "this control plane has no bundle for $arch" ;;
esac

if [ $foreground = yes ]; then
  dir=${dir:-${HOME:-/tmp}/.local/share/runmachine-agent}
  etc=$dir state=$dir/state run=$dir/run
else
  dir=${dir:-/opt/runmachine-agent}
  etc=/etc/runmachine-agent state=/var/lib/runmachine-agent run=/run/runmachine-agent
fi

release=$dir/releases/$(printf %.16s "$sha256")
if [ ! -f "$release/complete" ]; then
  mkdir -p "$release"
  file=$dir/bundle.$$.tar.gz
  trap 'rm -f "$file"' EXIT
  url=$endpoint/agent/$sha256.tar.gz
  say "fetching the bundle for $arch ($size bytes)"
  if command -v curl >/dev/null 2>&1; then
    curl -fsS --cacert "$here/ca.pem" --retry 3 -o "$file" "$url"
  else
    wget -q --ca-certificate="$here/ca.pem" -O "$file" "$url"
  fi
  found=$(sha256sum "$file" | cut -c1-64)
  [ "$found" = "$sha256" ] || die "the bundle has SHA-256 $found, expected $sha256"
  tar -xzf "$file" -C "$release"
  rm -f "$file"
  : >"$release/complete"
fi
ln -sfn "$release" "$dir/current"
# Read by the agent's own user.
chmod 755 "$dir" "$dir/releases" "$release"
chmod -R a+rX "$release"
node=$dir/current/bin/node
"$node" --version >/dev/null || die "$node does not run here; it needs glibc"

mkdir -p "$etc"
[ $foreground = yes ] && mkdir -p "$state" "$run"
cp "$here/ca.pem" "$etc/ca.pem"
cp "$here/token" "$etc/join.token"
list() { printf '['; sep=''; for one in "$@"; do printf '%s"%s"' "$sep" "$one"; sep=', '; done; printf ']'; }
{
  printf 'agent_id: "%s"\n' "$id"
  # shellcheck disable=SC2046,SC2086
  printf 'roles: %s\n' "$(list $(printf %s "$roles" | tr , ' '))"
  printf 'state_dir: "%s"\nruntime_dir: "%s"\n' "$state" "$run"
  printf 'endpoint: "%s"\nca_file: "%s"\njoin_token_file: "%s"\n' \
    "$endpoint" "$etc/ca.pem" "$etc/join.token"
  # shellcheck disable=SC2086
  printf 'machine_addresses: %s\n' "$(list $machines)"
} >"$etc/agent.yaml.new"
mv "$etc/agent.yaml.new" "$etc/agent.yaml"
"$node" "$dir/current/main.mjs" check --config "$etc/agent.yaml" >/dev/null

if [ $foreground = yes ]; then
  say "running in the foreground, from $dir"
  # As in the unit (services/agent/systemd-unit.ts).
  exec "$node" --max-semi-space-size=4 --heap-growing-percent=50 \
    "$dir/current/main.mjs" agent --config "$etc/agent.yaml"
fi

user=runmachine-agent
if ! id "$user" >/dev/null 2>&1; then
  if command -v useradd >/dev/null 2>&1; then
    useradd --system --no-create-home --shell /usr/sbin/nologin "$user"
  else
    adduser -S -D -H "$user"
  fi
fi
chmod 755 "$etc"
chown "$user" "$etc/ca.pem" "$etc/join.token" "$etc/agent.yaml"
unit=/etc/systemd/system/runmachine-agent.service
"$node" "$dir/current/main.mjs" unit --roles "$roles" --program "$dir/current" \
  --config "$etc/agent.yaml" >"$unit.new"
chmod 644 "$unit.new"
mv "$unit.new" "$unit"
if [ ! -d /run/systemd/system ]; then
  die "systemd does not run here; $unit is written, and --foreground runs the agent without it"
fi
systemctl daemon-reload
systemctl enable --quiet runmachine-agent.service
systemctl restart runmachine-agent.service
say "installed and started; see: journalctl -u runmachine-agent"
