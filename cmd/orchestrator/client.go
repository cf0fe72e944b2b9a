package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/state"
	"orchestrator/cmd/orchestrator/internal/view"
	api "orchestrator/ingest/client"
)

// newClient returns a client for the ingest that the environment names, else for the one that `orchestrator up` has written
// into the state folder.
func newClient(c *cobra.Command) (*api.Client, error) {
	url, token := os.Getenv("ORCHESTRATOR_URL"), os.Getenv("ORCHESTRATOR_TOKEN")
	if url == "" {
		left, err := stateDir(c).ReadClient()
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("no running service was found: start one with `orchestrator up`, or set ORCHESTRATOR_URL and ORCHESTRATOR_TOKEN")
		}
		if err != nil {
			return nil, err
		}
		url = left.URL
		if token == "" {
			token = left.Token
		}
	}
	if token == "" {
		return nil, fmt.Errorf("ORCHESTRATOR_URL is set but ORCHESTRATOR_TOKEN is not: set it to the token that ingest was started with")
	}
	return api.New(url, token)
}

// advised adds to an error of the service what to do about it.
func advised(err error) error {
	if p, ok := errors.AsType[*api.Problem](err); ok && p.Status == http.StatusUnauthorized {
		return fmt.Errorf("%w; set ORCHESTRATOR_TOKEN to the token that ingest was started with", err)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok && errors.Is(err, api.ErrUnreachable) {
		return fmt.Errorf("%w: start it with `orchestrator up`, or set ORCHESTRATOR_URL to its URL", err)
	}
	if errors.Is(err, api.ErrNotIngest) {
		return fmt.Errorf("%w: check ORCHESTRATOR_URL", err)
	}
	return err
}

func stateDir(c *cobra.Command) state.Dir {
	dir, _ := c.Flags().GetString("state")
	return state.Dir(dir)
}

// printAnswer prints what the service answers: as a document, or as lines.
func printAnswer[T any](c *cobra.Command, call func(*api.Client) (T, error), lines func(T, view.Style) []string) error {
	client, err := newClient(c)
	if err != nil {
		return err
	}
	answer, err := call(client)
	if err != nil {
		return err
	}
	if structured(c) {
		return printDocument(c, answer)
	}
	printLines(c.OutOrStdout(), lines(answer, view.StyleOf(os.Stdout)))
	return nil
}
