// Package rig is an installation of the service to be broken: a development cluster, a redis-server, ingest, workers and
// a backend. Every process is a real one and is known by its id. Between the workers and what they talk to stand proxies
// that see every command and every write, so that a fault can be aimed at a step, at a write, or at one answer.
package rig
