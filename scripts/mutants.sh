#!/usr/bin/env bash
# Takes stones out of the two walls, one at a time, and sees whether the tests say so (`make mutants`):
#
#   scripts/mutants.sh [--list] [--only N[,N…]]
#
# Each mutant of scripts/mutants.txt is a change of one file: it is planted in a worktree under target/, the tests named with it are run there, and
# one of them must fail. "SURVIVED" is an error, and so is a mutant that does not apply any more or does not compile: it proves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
list=scripts/mutants.txt only='' show=''
while (($#)); do
  case $1 in
    --list) show=yes ;;
    --only) only=,${2:?"--only needs numbers"}, && shift ;;
    *) die "usage: scripts/mutants.sh [--list] [--only N[,N…]]" ;;
  esac
  shift
done

# number § file § what is there § what stands in its place § tests § why
mutants() { grep -Ev '^(#|$)' "$list"; }
if [[ -n $show ]]; then
  mutants | while IFS='§' read -r number file _ _ tests why; do printf '%3s  %-44s %s  (%s)\n' "$number" "$file" "$why" "$tests"; done
  exit
fi

root=$PWD copy=$PWD/target/mutants
lock target/mutants.lock --wait
trap 'scripts/postgres.sh stop target/pg-mutants' EXIT
# The files as they are here, committed or not, with a target directory of their own that is kept between runs.
mkdir -p "$copy"
find "$copy" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} +
git ls-files --cached --others --exclude-standard -z | tar --create --null --ignore-failed-read --files-from=- 2>/dev/null | tar --extract --touch --directory "$copy"
# restore FILE: as it is here. Cargo goes by the time of a file: every one is a new one here.
restore() { cp "$root/$1" "$copy/$1"; }
if [[ ! -d $copy/target ]]; then
  say "copying what is built already"
  mkdir -p "$copy/target"
  cp -a target/debug "$copy/target/" 2>/dev/null || true
fi
scripts/postgres.sh start target/pg-mutants --test
TEST_DATABASE_URL=$(scripts/postgres.sh url target/pg-mutants postgres)
export TEST_DATABASE_URL CARGO_TARGET_DIR=$copy/target RUST_BACKTRACE=0

# plant FILE OLD NEW: replaces the one place where OLD stands.
plant() {
  python3 - "$copy/$1" "$2" "$3" <<'END'
import sys
path, old, new = sys.argv[1:]
text = open(path, encoding="utf-8").read()
old, new = old.replace("\\n", "\n"), new.replace("\\n", "\n")
if text.count(old) < 1 or old == new:
    sys.exit(f"it is not there any more: {old!r} in {path}")
open(path, "w", encoding="utf-8").write(text.replace(old, new, 1))
END
}

say "without a mutant the tests must pass"
mapfile -t all < <(mutants | while IFS='§' read -r number _ _ _ tests _; do
  [[ -z $only || $only == *,$number,* ]] && tr ' ' '\n' <<<"$tests"
done | sort -u)
((${#all[@]})) || die "no such mutant"
(cd "$copy" && cargo test --quiet --locked --test api -- "${all[@]}") >"$root/target/mutants.log" 2>&1 ||
  die "the tests fail as they are: see target/mutants.log"

caught=0 bad=0
while IFS='§' read -r number file old new tests why; do
  [[ -z $only || $only == *,$number,* ]] || continue
  verdict=
  if ! plant "$file" "$old" "$new"; then
    verdict="DOES NOT APPLY"
  elif ! (cd "$copy" && cargo test --quiet --locked --test api --no-run) >"$root/target/mutants.log" 2>&1 </dev/null; then
    verdict="DOES NOT COMPILE"
  else
    read -ra names <<<"$tests"
    if (cd "$copy" && cargo test --quiet --locked --test api -- "${names[@]}") >"$root/target/mutants.log" 2>&1 </dev/null; then
      verdict=SURVIVED
    elif ! grep -q '^test result: FAILED' "$root/target/mutants.log"; then
      verdict="PROVED NOTHING"
    fi
  fi
  if [[ -z $verdict ]]; then
    caught=$((caught + 1))
    verdict="caught by $(grep -E '^    [a-z_:]+$' "$root/target/mutants.log" | sort -u | head -3 | xargs)"
  else
    bad=$((bad + 1))
    cp "$root/target/mutants.log" "$root/target/mutant-$number.log"
  fi
  restore "$file"
  printf '%3s  %-60s %s\n' "$number" "$why" "$verdict"
done < <(mutants)
say "$caught caught, $bad not"
((bad == 0))
