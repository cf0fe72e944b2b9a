// Command backupgate lets the backups of stores through to their storage: each store to its own repository, and only to add to it. It is the only part of the service that has the
// storage's credentials, and it cannot read a backup.
package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/backupgate/internal/gate"
	"orchestrator/cmd/internal/service"
)

func main() {
	os.Exit(service.Main("backupgate", "lets the backups of stores through to their storage", run))
}

func run(ctx context.Context, c config, log *slog.Logger) error {
	secure, err := c.tls()
	if err != nil {
		return err
	}
	public, err := service.Listen("ORCH_BACKUP_GATE_ADDR", c.Addr)
	if err != nil {
		return err
	}
	admin, err := service.Listen("ORCH_BACKUP_GATE_ADMIN_ADDR", c.AdminAddr)
	if err != nil {
		return err
	}
	log.Info("listening", "addr", public.Addr().String(), "tls", secure != nil, "admin", admin.Addr().String(), "storage", c.Storage.String())
	if secure != nil {
		public = tls.NewListener(public, secure)
	} else {
		log.Warn("stores' passwords for the gate are sent to it unencrypted; set ORCH_BACKUP_GATE_CERT_FILE unless the network of the cluster encrypts")
	}
	metrics := service.Metrics("backupgate")
	// A gate whose storage is away is ready all the same: it says so to each client, and clients of a gate that is not ready would hear nothing.
	ready := func(context.Context) error { return nil }
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return service.Serve(ctx, server(gate.New(c.gate(), metrics, log)), public) })
	group.Go(func() error { return service.ServeAdmin(ctx, service.Admin(metrics, ready), admin) })
	return group.Wait()
}
