// Package redisconn connects to Redis: one server, Sentinel or Cluster, with or without TLS. It says which errors mean that
// Redis is away, and checks that Redis keeps what it is given.
package redisconn
