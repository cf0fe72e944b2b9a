package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/local"
	"orchestrator/cmd/orchestrator/internal/state"
)

// hint knows how to type commands that reach this service from where it was started.
type hint struct{ command, flags string }

func hintOf(c *cobra.Command, dir state.Dir) hint {
	h := hint{command: "orchestrator"}
	if exe, err := os.Executable(); err == nil {
		h.command = shown(exe)
	}
	if c.Flags().Changed("state") {
		h.flags = " --state " + shown(string(dir))
	}
	return h
}

// shown is a path as short as it can be typed here.
func shown(path string) string {
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

// guide is what a newcomer needs once everything runs.
func (h hint) guide(sentence string, s *local.Service) []string {
	lines := []string{"", sentence, "", "Open",
		"  API         " + s.API.URL() + "   (its token is in " + shown(s.Dir.ClientFile()) + ")"}
	if s.MonitorURL != "" {
		lines = append(lines, "  Monitor     "+s.MonitorURL+"   (log in as "+s.Secrets.MonitorUser+" with "+s.Secrets.MonitorPassword+")")
	}
	if s.Backend != nil {
		lines = append(lines, "  Callbacks   "+s.BackendURL()+"/callbacks")
	}
	if s.Kubeconfig != "" {
		lines = append(lines, "  Kubernetes  export KUBECONFIG="+s.Kubeconfig)
	}
	lines = append(lines, "", "Type in another terminal",
		h.line("submit my-shop --engine "+otherEngine()+" --watch"),
		h.line("list"),
		h.line("show my-shop"),
		h.line("watch"),
		h.line("delete my-shop --watch"),
		"", "Ctrl-C stops everything.", "")
	return lines
}
