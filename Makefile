# One line each: the work is in scripts/. `make run` is where to start.
.DEFAULT_GOAL := run
.PHONY: run serve test lint format bench bench-export bench-history bench-hubs bench-live bench-pages bench-prune bench-scale pictures faults lock install clean help

run:     ; @scripts/run             # the hub, a demo fleet and its simulated readings
serve:   ; @scripts/serve           # the hub alone
test:    ; @scripts/test            # all tests, on private servers
lint:    ; @scripts/lint            # ruff, mypy, import-linter
format:  ; @scripts/format          # ruff, in place
bench:   ; @scripts/bench           # what the hub carries on this machine
bench-export: ; @scripts/bench-export # what an export costs, and devices notice of it
bench-history: ; @scripts/bench-history # what the history of a year costs
bench-hubs: ; @scripts/bench-hubs # what several hubs cost beside one
bench-live: ; @scripts/bench-live # what a hundred dashboards cost, and how soon they show
bench-pages: ; @scripts/bench-pages # what the fleet page costs a browser
bench-prune: ; @scripts/bench-prune # what a prune costs, and devices notice of it
bench-scale: ; @scripts/bench-scale $(if $(READINGS),--readings $(READINGS)) # whether ingest stays as fast as storage grows
pictures: ; @scripts/pictures      # the pictures in docs, anew
faults:  ; @scripts/faults          # what goes wrong, made to go wrong
lock:    ; @scripts/lock            # newer dependencies
install: ; @scripts/install dev     # what all of the above need, and nothing else
help:    ; @grep -E '^[a-gi-z][a-z-]*:' Makefile | sed 's/: *;[^#]*# */\t/' | expand -t 16
clean:   ; @scripts/clean           # all that was made, but not what was stored (var/)
