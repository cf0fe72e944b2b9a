package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/cmd/internal/service"
	"orchestrator/cmd/orchestrator/internal/backend"
	"orchestrator/cmd/orchestrator/internal/view"
)

func backendCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "backend", Short: "Run a stand-in backend that prints the callbacks it receives",
		Long: `backend receives the status callbacks of workers, checks their token, headers and body, and prints them without
passwords. Point workers at it with BACKEND_API_BASE. It keeps the latest 10,000 callbacks in memory.
GET /callbacks[?store_id=…] returns them; passwords are included only if X-Orchestrator-Token is sent. It runs until Ctrl-C.

Environment:

  ORCHESTRATOR_TOKEN   token shared with the workers (required); several, separated by commas, are all accepted
  ORCH_WEBHOOK_SECRET  whsec_… secret; when it is set, signatures are required and verified`,
		Example: `  ORCHESTRATOR_TOKEN=secret orchestrator backend
  ORCHESTRATOR_TOKEN=secret orchestrator backend --fail 3`,
		Args: usageArgs(cobra.NoArgs), RunE: runBackend,
	}
	c.Flags().String("addr", "127.0.0.1:9004", "address to listen on")
	c.Flags().Int("fail", 0, "answer the first N callbacks with 500, so that the worker retries them")
	return c
}

func runBackend(c *cobra.Command, _ []string) error {
	addr, _ := c.Flags().GetString("addr")
	fail, _ := c.Flags().GetInt("fail")
	out := c.OutOrStdout()
	b, err := backend.New(backend.Config{
		Tokens: strings.Split(os.Getenv("ORCHESTRATOR_TOKEN"), ","), Secret: os.Getenv("ORCH_WEBHOOK_SECRET"), Fail: fail,
		OnCallback: func(call backend.Callback) { fmt.Fprintln(out, callbackLine(call)) },
	})
	if err != nil {
		return err
	}
	listener, err := service.Listen("--addr", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The stand-in backend listens on http://%s\n", listener.Addr())
	return service.Serve(c.Context(), &http.Server{Handler: b, ReadHeaderTimeout: 5 * time.Second}, listener)
}

func callbackLine(c backend.Callback) string {
	return fmt.Sprintf("%s  %-16s  callback %s", view.Clock(c.At), c.StoreID, view.Clean(c.Line()))
}
