# Sourced by the scripts that run several test runners: `tally` runs one and adds what it counted to $passed and $failed;
# `beside` starts one whose output `joined` shows, and counts, once it has ended. $times says how long each took.
passed=0
failed=0
times=()
_beside=$(mktemp -d)
_running=
trap '[ -z "$_running" ] || kill -- "-$_running"; rm -rf "$_beside"' EXIT

# tally NAME PASSED-WORD FAILED-WORD COMMAND...: the words are those by which the runner sums up, "12 passing".
tally() {
  local output=$_beside/output begun=$SECONDS name=$1 passed_word=$2 failed_word=$3
  shift 3
  "$@" 2>&1 | tee "$output"
  _count "${PIPESTATUS[0]}" "$name" $((SECONDS - begun)) "$passed_word" "$failed_word" "$output"
}

# beside PASSED-WORD FAILED-WORD COMMAND...: one at a time.
beside() {
  _words=("$1" "$2")
  shift 2
  # A process group of its own, as a background job hears no Ctrl-C.
  set -m
  {
    begun=$SECONDS
    "$@"
    echo "$? $((SECONDS - begun))" >"$_beside/ended"
  } </dev/null >"$_beside/beside" 2>&1 &
  _running=$!
  set +m
}

# joined NAME: waits for it. One that left no exit status died, and has failed.
joined() {
  local status=1 seconds=0
  wait "$_running"
  _running=
  read -r status seconds <"$_beside/ended"
  cat "$_beside/beside"
  _count "$status" "$1" "$seconds" "${_words[@]}" "$_beside/beside"
}

# _count STATUS NAME SECONDS PASSED-WORD FAILED-WORD OUTPUT
_count() {
  local ok bad
  ok=$(_last_count "$4" "$6")
  bad=$(_last_count "$5" "$6")
  # A runner that broke before it could count has failed too, and so has one that ran nothing.
  if [ "$bad" -eq 0 ] && { [ "$1" -ne 0 ] || [ "$ok" -eq 0 ]; }; then bad=1; fi
  passed=$((passed + ok))
  failed=$((failed + bad))
  times+=("$2: $3 s, $ok passed, $bad failed")
}

_last_count() {
  local found
  found=$(grep -oE "(^| )[0-9]+ $1\b" "$2" | tail -1 | grep -oE '[0-9]+')
  echo "${found:-0}"
}
