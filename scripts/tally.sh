# Sourced by the scripts that run several test runners: `tally` runs one and adds what it counted to $passed and $failed.
passed=0
failed=0

# tally PASSED-WORD FAILED-WORD COMMAND...: the words are those by which the runner sums up, "12 passing".
tally() {
  local passed_word=$1 failed_word=$2 output status ok bad
  shift 2
  output=$(mktemp)
  "$@" | tee "$output"
  status=${PIPESTATUS[0]}
  ok=$(_last_count "$passed_word" "$output")
  bad=$(_last_count "$failed_word" "$output")
  rm -f "$output"
  # A runner that broke before it could count has failed too.
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  passed=$((passed + ok))
  failed=$((failed + bad))
}

_last_count() {
  local found
  found=$(grep -oE "(^| )[0-9]+ $1\b" "$2" | tail -1 | grep -oE '[0-9]+')
  echo "${found:-0}"
}
