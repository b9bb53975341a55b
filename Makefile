# `make` alone says what there is. The work is done by scripts/.

# make is often started from a shell that has not read rustup's settings.
export PATH := $(PATH):$(HOME)/.cargo/bin

.DEFAULT_GOAL := help
# Every target is a command.
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*## .*/\1/p' $(firstword $(MAKEFILE_LIST))) clean-db help

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## the service with demo data, on http://127.0.0.1:8080 (BIND_ADDRESS), until Ctrl-C
	@scripts/run.sh

test: ## the whole suite, on a PostgreSQL of its own; make test ARGS='name' for a part
	@scripts/test.sh $(ARGS)

test-postgres: ## the suite on PostgreSQL 15, 16, 17 or 18, fetched by npm where the system has none; make test-postgres VERSION=16 ARGS='name'
	@POSTGRES_VERSION=$(or $(VERSION),16) scripts/test.sh $(ARGS)

test-versions: ## the suite on PostgreSQL 15, 16, 17 and 18, one after the other
	@for version in 15 16 17 18; do echo "==> PostgreSQL $$version"; POSTGRES_VERSION=$$version scripts/test.sh $(ARGS) || exit; done

test-repeat: ## the suite TIMES times (20) on busy processors, until one run fails; make test-repeat TIMES=3 ARGS='name'
	@TIMES=$(TIMES) scripts/repeat.sh $(ARGS)

test-scripts: ## what the documents show: the tour of docs/tour.md, two instances behind HAProxy, a real standby; two minutes after the build
	@scripts/rehearse.sh

image: ## build the container image and run docker-compose.yml with it; PROFILE=dev is quicker, make image ARGS=--built quicker still
	@PROFILE=$(PROFILE) scripts/image.sh $(ARGS)

recount: ## statistics of 20,000 generated provinces against a slow recount (ROUNDS=80, SEED)
	@RECOUNT_ROUNDS=$(or $(ROUNDS),80) RECOUNT_SEED=$(or $(SEED),$(shell date +%s)) scripts/test.sh --test api -- recount_many --nocapture

chaos: ## break what can break while clients write, and compare their ledger; make chaos ARGS='--only link-cut'
	@scripts/chaos.sh $(ARGS)

chaos-long: ## the same, more of everything, with the promotion of a standby
	@scripts/chaos.sh --long $(ARGS)

ha: ## two instances on a Patroni cluster: kill the leader, cut networks, fill a disk under writers; root; make ha ARGS='--only switchover'
	@scripts/ha.sh $(ARGS)

fuzz: ## schemathesis against the served description and property tests of the parsers, for long; make fuzz ARGS=--short as CI runs it
	@scripts/fuzz.sh $(ARGS)

login-times: ## whether refused logins tell accounts apart by their times, and what 200 logins at once do; some four minutes
	@scripts/login-times.sh $(ARGS)

oidc: ## single sign-on against a real OpenID provider from npm, on loopback; make oidc ARGS=--short as CI runs it
	@scripts/oidc.sh $(ARGS)

edge-times: ## what the largest requests do to memory and to /readyz meanwhile; SERVICE=target/release/ict-index
	@scripts/edge-times.sh $(ARGS)

bench: ## measure against limits and rivals, in at most 5 minutes after the builds; make bench ARGS='--only cached,batch'
	@python3 benches/run.py $(ARGS)

bench-long: ## the same on 6 M rows (ROWS=60M for more), longer, with growth
	@python3 benches/run.py --long $(ARGS)

bench-compare: ## two release builds in turns: make bench-compare BASE=path/to/older/ict-index ARGS='--rounds 9 --floor 0.97'
	@python3 benches/compare.py --base $(BASE) $(ARGS)

lint: doc ## formatting, clippy and documentation, as CI checks them
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

doc: ## the crate's documentation; a broken link is an error
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked

# By way of target/, so that a failure leaves the committed file alone.
openapi: ## write openapi/openapi.json from the code
	@mkdir -p target openapi
	cargo run --locked --quiet --bin ict-index -- openapi > target/openapi.json
	mv target/openapi.json openapi/openapi.json

mutants: ## take stones out of the walls between agencies, one at a time, and see that a test fails; make mutants ARGS="--only 3"
	@scripts/mutants.sh $(ARGS)

deny: ## known vulnerabilities, licences, sources and duplicates of the dependencies, without a network; make deny ARGS=--live for those of today
	@scripts/deny.sh $(ARGS)

clean-db: ## stop and delete the private databases of run, test and bench
	@scripts/postgres.sh remove target/pg-run
	@for cluster in target/pg-test target/pg-test-* target/pg-rehearse; do scripts/postgres.sh remove $$cluster; done
	@scripts/postgres.sh remove target/pg-bench
