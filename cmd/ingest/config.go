package main

import (
	"errors"
	"fmt"
	"time"

	"orchestrator/cmd/internal/service"
)

type config struct {
	service.Redis
	service.Tokens
	service.Patience
	service.Log

	Addr               string        `env:"ORCH_ADDR" envDefault:":9000" help:"address that the backend posts to"`
	AdminAddr          string        `env:"ORCH_INGEST_ADMIN_ADDR" envDefault:"127.0.0.1:9003" help:"address of /metrics and /debug/pprof, for operators only"`
	ReservedNamespaces []string      `env:"ORCH_RESERVED_NAMESPACES" help:"namespaces refused besides default and kube-*, comma-separated"`
	Timeout            time.Duration `env:"ORCH_ACCEPT_TIMEOUT" envDefault:"3s" help:"time for Redis to answer one request; then 503"`
}

func (c config) Validate() error {
	var timeout error
	if c.Timeout < 100*time.Millisecond || c.Timeout > 20*time.Second {
		timeout = fmt.Errorf("ORCH_ACCEPT_TIMEOUT is %s; it must be between 100ms and 20s", c.Timeout)
	}
	return errors.Join(c.Tokens.Validate(), c.Patience.Validate(), c.Log.Validate(), timeout)
}
