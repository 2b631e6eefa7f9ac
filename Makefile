# Everything that is checked about this repository, in one place. Each target
# works on every module that the file `modules` lists; `./...` alone would pass
# over the nested ones in silence.

MODULES := $(shell cat modules)

# Further flags of every go test, for example TESTFLAGS=-v.
TESTFLAGS ?=
# How long `make fuzz` gives each fuzz target.
FUZZTIME ?= 10s

# Flags of a benchmark, for example BENCHFLAGS='-only full -runs 3'.
BENCHFLAGS ?=

GOFUMPT_VERSION := v0.12.0
GOLANGCI_VERSION := v2.15.0
GOFUMPT := .tools/gofumpt-$(GOFUMPT_VERSION)/gofumpt
GOLANGCI := .tools/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint

# in-modules runs a command in every module, also after one has failed.
in-modules = @status=0; for module in $(MODULES); do \
	echo "== $$module: $(strip $(1))"; \
	(cd "$$module" && $(1)) || status=1; \
	done; exit $$status

# prints-nothing runs a command in every module and fails where it prints or fails.
prints-nothing = @status=0; for module in $(MODULES); do \
	echo "== $$module: $(strip $(1))"; \
	said=$$(cd "$$module" && $(1) 2>&1) && [ -z "$$said" ] || { printf '%s\n' "$$said"; status=1; }; \
	done; exit $$status

.PHONY: help
help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: ## Run all tests; needs Go, make and git alone.
	$(call in-modules,CGO_ENABLED=0 go test -shuffle=on -timeout 5m $(TESTFLAGS) ./...)

.PHONY: check
check: check-cc check-fmt check-tidy check-vet check-fix check-lint check-race ## Run every check, the tests under the race detector among them; needs a C compiler.

.PHONY: interop
interop: ## Run the library against real servers; on Debian, as root.
	internal/interop/install
	cd internal/interop && go test -tags interop -shuffle=on -count=1 -timeout 10m $(TESTFLAGS) ./...

.PHONY: leaks
leaks: ## Run all tests and look for secrets in all they print.
	@dir=$$(mktemp -d) && go build -o "$$dir/testsum" ./internal/testsum && \
		{ $(MAKE) --no-print-directory test TESTFLAGS=-json 2>&1 | "$$dir/testsum"; }; \
		status=$$?; rm -r "$$dir"; exit $$status

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME.
	@for module in $(MODULES); do (cd "$$module" && \
		listed=$$(go test -list '^Fuzz' ./...) || { printf '%s\n' "$$listed"; exit 1; }; \
		printf '%s\n' "$$listed" | \
		awk '/^Fuzz/ { name[++n] = $$1 } /^ok/ { for (i = 1; i <= n; i++) print $$2, name[i]; n = 0 }' | \
		while read -r package name; do \
			echo "== $$package $$name"; \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
		done) || exit 1; done

.PHONY: bench-message
bench-message: ## Measure how messages are read, beside enmime and go-message; needs Linux and MAILSESSION_CORPUS.
	cd bench && go run ./message

.PHONY: bench-imap
bench-imap: ## Measure how fast mail is read by IMAP, beside other clients on Dovecot; on Debian, as root. BENCHFLAGS=-h tells more.
	bench/imap/install
	cd bench && go run ./imap $(BENCHFLAGS)

.PHONY: bench-sync
bench-sync: ## Measure what it takes to follow a large folder, and to watch many mailboxes, beside other clients on Dovecot; on Debian, as root. BENCHFLAGS=-h tells more.
	bench/imap/install
	cd bench && go run ./sync $(BENCHFLAGS)

.PHONY: bench-smtp
bench-smtp: ## Measure how fast mail is sent by SMTP, beside other clients to a sink and to Postfix; on Debian, as root. BENCHFLAGS=-h tells more.
	internal/interop/install
	cd bench && go run ./smtp $(BENCHFLAGS)

.PHONY: bench-compose
bench-compose: ## Measure how messages are composed, beside go-mail, enmime and nodemailer; needs Linux and Node.js.
	bench/compose/install
	cd bench && go run ./compose $(BENCHFLAGS)

.PHONY: bench-pop3
bench-pop3: ## Measure how fast mail is read by POP3, beside other clients on Dovecot; on Debian, as root. BENCHFLAGS=-h tells more.
	internal/interop/install
	cd bench && go run ./pop3 $(BENCHFLAGS)

.PHONY: bench-ews
bench-ews: ## Measure how fast mail is read by EWS, beside exchangelib on the fake Exchange; on Debian, as root. BENCHFLAGS=-h tells more.
	internal/interop/install
	cd bench && go run ./ews $(BENCHFLAGS)

.PHONY: size
size: ## Print how large a program with session and imapx alone is, and what it links.
	@dir=$$(mktemp -d) && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$$dir/unread" ./examples/unread && \
		printf 'bytes %s\n' "$$(wc -c <"$$dir/unread")" && go version -m "$$dir/unread" | awk '$$1 == "dep" { print $$2, $$3 }'; \
		status=$$?; rm -r "$$dir"; exit $$status

.PHONY: fmt
fmt: $(GOFUMPT) ## Format all Go code.
	$(GOFUMPT) -w .

.PHONY: tidy
tidy: ## Bring go.mod and go.sum of every module up to date.
	$(call in-modules,go mod tidy)

.PHONY: tools
tools: $(GOFUMPT) $(GOLANGCI) ## Install the pinned tools into .tools.

# The versions are part of the folder, so that a new pin installs anew.
$(GOFUMPT):
	GOBIN=$(CURDIR)/$(@D) go install mvdan.cc/gofumpt@$(GOFUMPT_VERSION)
$(GOLANGCI):
	GOBIN=$(CURDIR)/$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

.PHONY: download
download: ## Download what every module needs.
	$(call in-modules,go mod download)

# The parts of `make check`.

.PHONY: check-cc
check-cc:
	@command -v $$(go env CC | cut -d ' ' -f 1) >/dev/null || { \
		echo "make check runs the tests under the race detector, which needs a C compiler." >&2; \
		echo "Install one; on Debian: apt-get install gcc libc6-dev" >&2; \
		exit 1; }

.PHONY: check-fmt
check-fmt: $(GOFUMPT)
	@echo "== gofumpt -l"; said=$$($(GOFUMPT) -l . 2>&1) && [ -z "$$said" ] || { \
		printf '%s\n' "$$said"; echo "these are not formatted; run make fmt" >&2; exit 1; }

# That `modules`, go.work and the go.mod files agree is a test of internal/layering.
.PHONY: check-tidy
check-tidy:
	$(call prints-nothing,go mod tidy -diff)

.PHONY: check-vet
check-vet:
	$(call in-modules,go vet ./...)
	$(call in-modules,go vet -tags interop ./...)
	$(call in-modules,CGO_ENABLED=0 GOARCH=386 go vet -tags interop ./...)

.PHONY: check-fix
check-fix:
	$(call prints-nothing,go fix -diff ./...)
	$(call prints-nothing,go fix -tags interop -diff ./...)

.PHONY: check-lint
check-lint: $(GOLANGCI)
	$(call in-modules,"$(CURDIR)/$(GOLANGCI)" run ./...)

.PHONY: check-race
check-race:
	$(call in-modules,CGO_ENABLED=1 go test -race -shuffle=on -timeout 10m $(TESTFLAGS) ./...)
