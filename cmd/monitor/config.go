package main

import (
	"errors"
	"fmt"
	"log/slog"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/monitor/internal/login"
)

type config struct {
	service.Redis
	service.GenerationTimeout
	service.Clusters
	service.Log

	Addr       string `env:"ORCH_MONITOR_ADDR" envDefault:"127.0.0.1:9002" help:"address of the web pages; put TLS in front of it unless it is a loopback address"`
	User       string `env:"ORCH_MONITOR_USER" help:"name of the only user; not with ORCH_MONITOR_USERS_FILE"`
	Password   string `env:"ORCH_MONITOR_PASSWORD" help:"password of the only user"`
	ReadOnly   bool   `env:"ORCH_MONITOR_READ_ONLY" envDefault:"true" help:"false: the only user is an operator, who can retry, suspend and delete stores, pause queues and run tasks; true: a viewer"`
	UsersFile  string `env:"ORCH_MONITOR_USERS_FILE" help:"file of users, a line for each: name, role (viewer or operator) and bcrypt hash of the password; read again when it changes"`
	SessionKey string `env:"ORCH_MONITOR_SESSION_KEY" help:"secret by which sessions are signed, beside the passwords; the same for all monitors of an installation"`

	ProxyHeader    string   `env:"ORCH_MONITOR_PROXY_USER_HEADER" help:"header in which a proxy in front names the user, who needs no login then"`
	ProxySecret    string   `env:"ORCH_MONITOR_PROXY_SECRET" help:"secret that this proxy sends as X-Orchestrator-Proxy-Secret; required with ORCH_MONITOR_PROXY_USER_HEADER"`
	ProxyOperators []string `env:"ORCH_MONITOR_PROXY_OPERATORS" help:"users of the proxy who are operators, separated by commas; the others are viewers"`
}

// Validate reports all mistakes at once.
func (c config) Validate() error {
	var users, proxy error
	switch {
	case c.UsersFile != "" && c.User != "":
		users = errors.New("ORCH_MONITOR_USER and ORCH_MONITOR_USERS_FILE are both set; one of them says who may log in")
	case c.UsersFile == "" && (c.User == "" || c.Password == ""):
		users = errors.New("ORCH_MONITOR_USER and ORCH_MONITOR_PASSWORD are required, or ORCH_MONITOR_USERS_FILE")
	}
	if (c.ProxyHeader == "") != (c.ProxySecret == "") {
		proxy = errors.New("ORCH_MONITOR_PROXY_USER_HEADER and ORCH_MONITOR_PROXY_SECRET need each other: without the secret any client could name itself a user")
	}
	return errors.Join(c.Redis.Validate(), c.GenerationTimeout.Validate(), c.Log.Validate(), users, proxy)
}

// users are those who may log in.
func (c config) users(log *slog.Logger) (login.Users, error) {
	if c.UsersFile != "" {
		file, err := login.OpenFile(c.UsersFile, log)
		if err != nil {
			return nil, fmt.Errorf("ORCH_MONITOR_USERS_FILE: %w", err)
		}
		return file, nil
	}
	role := login.Operator
	if c.ReadOnly {
		role = login.Viewer
	}
	return login.One{User: login.User{Name: c.User, Role: role}, Password: c.Password}, nil
}

func (c config) proxy() login.Proxy {
	return login.Proxy{Header: c.ProxyHeader, Secret: c.ProxySecret, Operators: c.ProxyOperators}
}
