.PHONY: build test race check fuzz

build:
	go build -o bin/clowder ./cmd/clowder

test:
	go test ./...

race:
	go test -race ./...

fuzz:
	.ci/fuzz 500000x

check:
	.ci/run
