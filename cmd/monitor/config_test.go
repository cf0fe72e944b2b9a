package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfigSaysWhoMayLogIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte("ana operator $2y$04$x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config config
		wrong  string
	}{
		"one user":            {config{User: "op", Password: "x"}, ""},
		"a file":              {config{UsersFile: file}, ""},
		"none":                {config{}, "ORCH_MONITOR_USERS_FILE"},
		"no password":         {config{User: "op"}, "ORCH_MONITOR_PASSWORD"},
		"both":                {config{User: "op", Password: "x", UsersFile: file}, "both set"},
		"a proxy":             {config{User: "op", Password: "x", ProxyHeader: "X-User", ProxySecret: "s"}, ""},
		"a proxy, no secret":  {config{User: "op", Password: "x", ProxyHeader: "X-User"}, "any client could name itself"},
		"a secret, no header": {config{User: "op", Password: "x", ProxySecret: "s"}, "need each other"},
	} {
		c.config.Format, c.config.Deadline = "json", time.Hour
		if err := c.config.Validate(); (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUsersOfABrokenFileAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte("ana\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (config{UsersFile: file}).users(slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "ORCH_MONITOR_USERS_FILE") || !strings.Contains(err.Error(), "line 1") {
		t.Error(err)
	}
}
