// Package testkit is the root of what only tests are made of; nothing below it is shipped.
//
//   - redistest gives tests a Redis of their own.
//   - promtest checks expressions of Prometheus and the metrics that they read.
//   - e2e holds tests of the binaries as they are run, against an API server or a real cluster.
//   - chaos is a command that breaks a whole installation at random and checks what it did.
//   - bench is a command that measures how fast stores are made and what they cost.
package testkit
