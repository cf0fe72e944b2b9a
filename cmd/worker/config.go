package main

import (
	"errors"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/internal/workerapp"
)

type config struct {
	service.Common
	Work workerapp.Config

	AdminAddr string `env:"ORCH_WORKER_ADMIN_ADDR" envDefault:"127.0.0.1:9001" help:"address of /healthz, /readyz, /metrics and /debug/pprof, for operators only"`
}

func (c config) Validate() error { return errors.Join(c.Common.Validate(), c.Work.Validate()) }
