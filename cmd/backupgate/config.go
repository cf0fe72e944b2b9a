package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"orchestrator/cmd/backupgate/internal/gate"
	"orchestrator/cmd/internal/service"
	"orchestrator/provision/backup"
)

type config struct {
	service.Log

	Addr      string `env:"ORCH_BACKUP_GATE_ADDR" envDefault:":9005" help:"address that stores' backups are sent to"`
	AdminAddr string `env:"ORCH_BACKUP_GATE_ADMIN_ADDR" envDefault:"127.0.0.1:9006" help:"address of /healthz, /readyz, /metrics and /debug/pprof, for operators only"`
	CertFile  string `env:"ORCH_BACKUP_GATE_CERT_FILE" help:"PEM file of the certificate that is shown to stores; read again for each connection; empty: plain HTTP"`
	KeyFile   string `env:"ORCH_BACKUP_GATE_KEY_FILE" help:"PEM file of the key of ORCH_BACKUP_GATE_CERT_FILE"`

	Keys      backup.Keys   `env:"ORCH_BACKUP_GATE_KEY,required,notEmpty" help:"key that stores' passwords for the gate are derived from, the same as the workers'; for a rotation several, separated by commas: all are accepted"`
	Storage   storageURL    `env:"ORCH_BACKUP_STORAGE,required,notEmpty" help:"http(s) URL of the restic REST server in append-only mode that keeps the backups, with its user and password where it wants them"`
	MaxObject int64         `env:"ORCH_BACKUP_MAX_OBJECT" envDefault:"268435456" help:"bytes that a file of a repository may have; restic's are about 16 MiB, unless it is told otherwise"`
	AtOnce    int           `env:"ORCH_BACKUP_AT_ONCE" envDefault:"100" help:"requests that may be at the storage at a time; a backup has about five"`
	PerStore  int           `env:"ORCH_BACKUP_AT_ONCE_PER_STORE" envDefault:"10" help:"the same, of one store"`
	Stall     time.Duration `env:"ORCH_BACKUP_STALL" envDefault:"1m" help:"time in which a request moves at least 16 KiB, or is ended"`
}

// Validate reports all mistakes at once.
func (c config) Validate() error {
	_, certErr := c.tls()
	errs := []error{c.Log.Validate(), certErr}
	for name, value := range map[string]int64{"ORCH_BACKUP_MAX_OBJECT": c.MaxObject, "ORCH_BACKUP_AT_ONCE": int64(c.AtOnce), "ORCH_BACKUP_AT_ONCE_PER_STORE": int64(c.PerStore)} {
		if value < 1 {
			errs = append(errs, fmt.Errorf("%s is %d; it must be at least 1", name, value))
		}
	}
	if c.Stall < time.Second {
		errs = append(errs, fmt.Errorf("ORCH_BACKUP_STALL is %s; it must be at least a second", c.Stall))
	}
	return errors.Join(errs...)
}

// gate is the part of the configuration that the handler needs.
func (c config) gate() gate.Config {
	return gate.Config{Keys: c.Keys, Storage: c.Storage.URL, MaxObject: c.MaxObject, AtOnce: c.AtOnce, PerStore: c.PerStore, Stall: c.Stall, Transport: gate.Transport(c.AtOnce)}
}

// tls is nil where stores use plain HTTP. There is no HTTP/2: its streams share a connection, and a request that stalls is ended by the deadlines of its own.
func (c config) tls() (*tls.Config, error) {
	if c.CertFile == "" && c.KeyFile == "" {
		return nil, nil
	}
	read := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("ORCH_BACKUP_GATE_CERT_FILE with ORCH_BACKUP_GATE_KEY_FILE: %w", err)
		}
		return &pair, nil
	}
	if _, err := read(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: read, NextProtos: []string{"http/1.1"}}, nil
}

// storageURL shows its password in no error and no log.
type storageURL struct{ *url.URL }

// UnmarshalText reads the URL. Its error does not repeat it.
func (u *storageURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	switch {
	case err != nil:
		return errors.New("it is no URL; a password in it has to be percent-encoded")
	case parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "":
		return errors.New("it must begin with http:// or https:// and a host")
	case parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "":
		return errors.New("it must have neither a query nor a fragment")
	}
	u.URL = parsed
	return nil
}

// String leaves the password out.
func (u storageURL) String() string { return u.Redacted() }

// server bounds what a client can keep open without a slot; with one, the gate does.
func server(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
}
