package main

import (
	"errors"

	"orchestrator/cmd/internal/ingestapp"
	"orchestrator/cmd/internal/service"
)

type config struct {
	service.Common
	Ingest ingestapp.Config

	Addr      string `env:"ORCH_ADDR" envDefault:":9000" help:"address of the HTTP API"`
	AdminAddr string `env:"ORCH_INGEST_ADMIN_ADDR" envDefault:"127.0.0.1:9003" help:"address of /healthz, /readyz, /metrics and /debug/pprof, for operators only"`
}

func (c config) Validate() error {
	return errors.Join(c.Common.Validate(), c.Ingest.Validate(c.Clusters.Clusters))
}
