// Package rig runs an installation of the service for chaos: a development cluster, a redis-server, ingest, workers and a
// backend. All but the backend are real processes. Proxies between the workers and their dependencies observe every command
// and every write, so that a fault can be aimed at a step, at a write, or at a single reply.
package rig
