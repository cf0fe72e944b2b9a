package main

import (
	"errors"
	"strings"

	"orchestrator/cmd/internal/service"
)

type config struct {
	service.Redis
	service.Log

	Addr     string `env:"ORCH_MONITOR_ADDR" envDefault:"127.0.0.1:9002" help:"address of the web UI; beyond this machine only behind TLS"`
	User     string `env:"ORCH_MONITOR_USER,required,notEmpty" help:"name to log in with"`
	Password string `env:"ORCH_MONITOR_PASSWORD,required,notEmpty" help:"password to log in with"`
	ReadOnly bool   `env:"ORCH_MONITOR_READ_ONLY" envDefault:"true" help:"false: operators may pause queues, and run, archive and delete tasks"`
}

func (c config) Validate() error {
	var user error
	if strings.Contains(c.User, ":") {
		user = errors.New("ORCH_MONITOR_USER may not contain a colon: HTTP's login ends the name there")
	}
	return errors.Join(c.Log.Validate(), user)
}
