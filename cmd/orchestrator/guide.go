package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/local"
	"orchestrator/cmd/orchestrator/internal/state"
)

// hint builds command lines that reach this service from the directory where it was started.
type hint struct{ command, flags string }

func newHint(c *cobra.Command, dir state.Dir) hint {
	h := hint{command: "orchestrator"}
	if exe, err := os.Executable(); err == nil {
		h.command = relativePath(exe)
	}
	if c.Flags().Changed("state") {
		h.flags = " --state " + relativePath(string(dir))
	}
	return h
}

// relativePath returns the path relative to the working directory where that is shorter.
func relativePath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) && !strings.HasPrefix(rel, "../..") {
		return rel
	}
	return path
}

func (h hint) line(args string) string { return "  " + h.command + " " + args + h.flags }

// guide returns the lines that tell a new user what to open and what to type once the service runs.
func (h hint) guide(sentence string, s *local.Service) []string {
	lines := []string{"", sentence, "", "Open",
		"  API         " + s.API.URL() + "   (token in " + relativePath(s.Dir.ClientFile()) + ")"}
	if s.MonitorURL != "" {
		lines = append(lines, "  Monitor     "+s.MonitorURL+"   (user "+s.Secrets.MonitorUser+", password "+s.Secrets.MonitorPassword+")")
	}
	if s.Backend != nil {
		lines = append(lines, "  Callbacks   "+s.BackendURL()+"/callbacks")
	}
	if s.Kubeconfig != "" {
		lines = append(lines, "  Kubernetes  export KUBECONFIG="+s.Kubeconfig)
	}
	lines = append(lines, "", "Run in another terminal",
		h.line("submit my-shop --engine "+otherEngine()+" --watch"),
		h.line("list"),
		h.line("show my-shop"),
		h.line("watch"),
		h.line("delete my-shop --watch"),
		"", "Ctrl-C stops everything.", "")
	return lines
}
