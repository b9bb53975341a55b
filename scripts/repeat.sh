#!/usr/bin/env bash
# `make test-repeat`: the whole suite TIMES times (20) while `stress` keeps every processor busy; ends at the first run that fails.
# A test that passes by chance, or only on an idle machine, does not get through. Arguments go to `cargo test`.
# BUSY=... is how many processes of `stress` run (0: none); as many as there are processors when it is not set.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

times=${TIMES:-20} busy=${BUSY:-$(nproc)}
[[ $times =~ ^[1-9][0-9]*$ ]] || die "TIMES: expected a number from 1, got $times"
[[ $busy =~ ^[0-9]+$ ]] || die "BUSY: expected a number, got $busy"
scripts/ensure-tools.sh --test
((busy == 0)) || command -v stress >/dev/null || apt_install "stress, which keeps processors busy" stress
mkdir -p target/repeat
lock target/repeat/lock
rm -f target/repeat/*.log
guarded cargo test --no-run --locked

load=''
# `stress` is the parent of those that keep the processors busy: all of its group end with it.
unload() { [[ -z $load ]] || { kill -TERM -- "-$load" && wait "$load"; } 2>/dev/null || true; load=''; }
trap unload EXIT
for ((run = 1; run <= times; run++)); do
  log=target/repeat/$run.log began=$SECONDS status=0
  if ((busy > 0)); then
    set -m
    stress --quiet --cpu "$busy" </dev/null 9>&- &
    load=$!
    set +m
  fi
  scripts/test.sh "$@" >"$log" 2>&1 || status=$?
  if ((status != 0)); then
    sed -n '/^failures:/,$p' "$log" | head -n 200
    die "run $run of $times failed after $((SECONDS - began)) s: $log"
  fi
  [[ -z $load ]] || kill -0 "$load" 2>/dev/null || { wait "$load" || status=$?; die "stress ended before run $run did (code $status): the run proves nothing"; }
  unload
  say "run $run of $times passed in $((SECONDS - began)) s: $(grep -c '^test .* ok$' "$log") tests"
done
# A suite that ran nothing proves nothing.
grep -Eq '^test result: ok\. [1-9][0-9]* passed' "$log" || die "no test was run"
say "$times runs passed with $busy processes of stress"
