package shop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main runs the shop as a process of its own until SIGTERM, and returns its exit code.
func Main(args []string) int {
	flags := flag.NewFlagSet("shop", flag.ExitOnError)
	address := flags.String("listen", "127.0.0.1:0", "where the shops answer")
	admin := flags.String("admin", "127.0.0.1:0", "where the admin API answers")
	flags.String("dir", "", "the cluster's folder; only marks the process as belonging to it")
	_ = flags.Parse(args)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := Serve(ctx, *address, *admin); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		return 1
	}
	return 0
}

// Serve answers on both addresses until ctx ends.
func Serve(ctx context.Context, address, admin string) error {
	s := New()
	failed := make(chan error, 2)
	for at, handler := range map[string]http.Handler{address: s, admin: s.Admin()} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", at, err)
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		defer server.Close() // not Shutdown: hanging answers would hold it up, and they are on purpose
		go func() { failed <- server.Serve(l) }()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return errors.Join(errors.New("stopped serving"), err)
	}
}
