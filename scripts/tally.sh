# Sourced by the scripts that run several test runners: `tally` runs one and adds what it counted to $passed and $failed;
# `beside` starts one whose output `joined` shows, and counts, once all such have ended. $times says how long each took.
passed=0
failed=0
times=()
_beside=$(mktemp -d)
_running=()
trap 'for _each in "${_running[@]}"; do kill -- "-$_each" 2>/dev/null; done; rm -rf "$_beside"' EXIT

# tally NAME PASSED-WORD FAILED-WORD COMMAND...: the words are those by which the runner sums up, "12 passing".
tally() {
  local output=$_beside/output begun=$SECONDS name=$1 passed_word=$2 failed_word=$3
  shift 3
  "$@" 2>&1 | tee "$output"
  _count "${PIPESTATUS[0]}" "$name" $((SECONDS - begun)) "$passed_word" "$failed_word" "$output"
}

# beside NAME PASSED-WORD FAILED-WORD COMMAND...: after the others that are beside, one at a time.
beside() {
  local name=$1 passed_word=$2 failed_word=$3 place=$_beside/${#_running[@]}
  shift 3
  printf '%s\n' "$name" "$passed_word" "$failed_word" >"$place.named"
  # A process group of its own, as a background job hears no Ctrl-C.
  set -m
  {
    exec 9>"$_beside/turn"
    flock 9
    begun=$SECONDS
    "$@" 9>&-
    echo "$? $((SECONDS - begun))" >"$place.ended"
  } </dev/null >"$place.output" 2>&1 &
  _running+=($!)
  set +m
}

# joined: waits for all of them. One that left no exit status died, and has failed.
joined() {
  local index status seconds place named
  for index in "${!_running[@]}"; do
    status=1 seconds=0 place=$_beside/$index
    wait "${_running[index]}"
    read -r status seconds <"$place.ended"
    mapfile -t named <"$place.named"
    cat "$place.output"
    _count "$status" "${named[0]}" "$seconds" "${named[1]}" "${named[2]}" "$place.output"
  done
  _running=()
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
