package main

import (
	"errors"
	"strings"

	"orchestrator/cmd/internal/service"
)

type config struct {
	service.Redis
	service.Log

	Addr     string `env:"ORCH_MONITOR_ADDR" envDefault:"127.0.0.1:9002" help:"address of the web UI; put TLS in front of it unless it is a loopback address"`
	User     string `env:"ORCH_MONITOR_USER,required,notEmpty" help:"user name of the login"`
	Password string `env:"ORCH_MONITOR_PASSWORD,required,notEmpty" help:"password of the login"`
	ReadOnly bool   `env:"ORCH_MONITOR_READ_ONLY" envDefault:"true" help:"false: operators can pause queues, and run, archive and delete tasks"`
}

func (c config) Validate() error {
	var user error
	if strings.Contains(c.User, ":") {
		user = errors.New("ORCH_MONITOR_USER must not contain a colon, which ends the user name in HTTP basic authentication")
	}
	return errors.Join(c.Redis.Validate(), c.Log.Validate(), user)
}
