# shellcheck shell=bash
# What demo, test and bench share: the check of what the machine must have, and the steps from a
# bare clone to built code. Plain bash of the 3.2 kind, since macOS has no newer one, and no Node
# before it is known that there is one.

say() { printf '\n==> %s\n' "$*"; }

# at_least FOUND MINIMUM: compares dotted versions number by number.
at_least() {
  local found minimum index has wants
  IFS=. read -r -a found <<<"$1"
  IFS=. read -r -a minimum <<<"$2"
  for index in "${!minimum[@]}"; do
    has=${found[index]:-0}
    wants=${minimum[index]}
    # 10# because a part with a leading zero would be read as octal.
    if ((10#$has != 10#$wants)); then
      ((10#$has > 10#$wants))
      return
    fi
  done
}

# version_of PATTERN COMMAND [ARGUMENT...]: prints the first match; nothing when there is none.
# The pattern's one group is the version.
version_of() {
  local pattern=$1 output
  shift
  command -v "$1" >/dev/null 2>&1 || return 0
  output=$("$@" 2>&1) || return 0
  if [[ $output =~ $pattern ]]; then printf '%s' "${BASH_REMATCH[1]}"; fi
}

# require NAME MINIMUM WHY PATTERN COMMAND [ARGUMENT...]: a sentence when it is not met.
require() {
  local name=$1 minimum=$2 why=$3 pattern=$4 found
  shift 4
  found=$(version_of "$pattern" "$@")
  if [[ -z $found ]]; then
    printf '  %s %s or newer is needed (%s); `%s` was not found or does not work.\n' \
      "$name" "$minimum" "$why" "$*" >&2
    return 1
  fi
  if ! at_least "$found" "$minimum"; then
    printf '  %s %s or newer is needed (%s); `%s` says %s.\n' \
      "$name" "$minimum" "$why" "$*" "$found" >&2
    return 1
  fi
}

# Tells everything that is missing at once, and exits with 2.
check_requirements() {
  local met=0 version='([0-9]+(\.[0-9]+)*)'
  require Node.js 20.19 'it runs Shuttle' "v$version" node --version || met=1
  require npm 9 'it installs the packages' "$version" npm --version || met=1
  require Go 1.24 "it builds Fabric's commands" "go([0-9]+(\.[0-9]+)+)" go version || met=1
  require JDK 17 'it runs Kafka' "version \"$version" java -version || met=1
  require Maven 3.6 'it fetches Kafka' "Apache Maven $version" mvn -version || met=1
  if ((met != 0)); then
    printf '\nShuttle cannot start: install what is named above, then run this again.\n' >&2
    exit 2
  fi
}

# Installs the pinned packages when they are absent, or when the lock file has changed since.
install_packages() {
  if [[ package-lock.json -nt node_modules/.package-lock.json ]]; then
    say 'Installing packages (npm ci)'
    npm ci --no-audit --no-fund
  fi
}

# build [PROJECT...]: compiles what has changed; without a project, everything.
build() {
  say 'Building'
  npx --no-install tsc --build "$@"
}
