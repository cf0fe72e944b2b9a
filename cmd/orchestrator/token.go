package main

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/ingest"
)

func tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "token NAME", Short: "Make a named token for the API",
		Long: `token makes a random token and prints two lines: the token, which is shown once and kept by its user, and the line for
ingest's ORCH_TOKENS_FILE, which holds its SHA-256 only. Nothing is sent anywhere.

Scopes: read shows stores and dead letters; write provisions, changes and deletes stores; operate replays dead letters, lists
orphans, and lists, gives up and takes back clusters.`,
		Example: "  orchestrator token on-call --scopes read,operate",
		RunE:    token,
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{errors.New("token takes exactly one name")}
		}
		return nil
	}
	c.Flags().String("scopes", "read", "what the token is good for: read, write, operate, separated by commas")
	outputFlag(c)
	return c
}

func token(c *cobra.Command, args []string) error {
	scopes, _ := c.Flags().GetString("scopes")
	secret := strings.ToLower(rand.Text() + rand.Text())
	line := fmt.Sprintf("%s %s %x", args[0], scopes, sha256.Sum256([]byte(secret)))
	if _, err := ingest.ParseTokens(strings.NewReader(line)); err != nil {
		return usageError{errors.New(strings.TrimPrefix(err.Error(), "line 1: "))}
	}
	if structured(c) {
		return printDocument(c, map[string]string{"token": secret, "line": line})
	}
	fmt.Fprintf(c.OutOrStdout(), "token:  %s\nline:   %s\n", secret, line)
	return nil
}
