package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseUp(t *testing.T) {
	options, err := parseUp([]string{"--dir", "d", "--ready-delay", "500ms..3s", "--node-count", "4", "--quiet"})
	if err != nil {
		t.Fatal(err)
	}
	if options.Dir != "d" || options.ReadyMin != 500*time.Millisecond || options.ReadyMax != 3*time.Second || options.NodeCount != 4 || !options.Quiet {
		t.Errorf("got %+v", options)
	}
}

func TestParseUpDefaults(t *testing.T) {
	options, err := parseUp([]string{"--dir", "d"})
	if err != nil {
		t.Fatal(err)
	}
	if options.ReadyMin != 0 || options.ReadyMax != 2*time.Second || options.NodeCount != 1 || options.Quiet {
		t.Errorf("got %+v", options)
	}
}

func TestWrongCommandLines(t *testing.T) {
	for _, line := range []string{
		"up", "up --dir d --node-count 0", "up --dir d --node-count 1001", "up --dir d more", "up --dir d --speed 3",
		"up --dir d --ready-delay 3s..1s", "up --dir d --ready-delay -1s", "up --dir d --ready-delay soon", "down", "clean", "start",
	} {
		var out, errs bytes.Buffer
		if code := Main(strings.Fields(line), &out, &errs); code != 2 || out.Len() > 0 || !strings.Contains(errs.String(), "--help") {
			t.Errorf("%q: exit code %d, %q, %q", line, code, out.String(), errs.String())
		}
	}
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"", "--help", "-h", "help", "up --help"} {
		var out, errs bytes.Buffer
		if code := Main(strings.Fields(line), &out, &errs); code != 0 || out.String() != help {
			t.Errorf("%q: exit code %d, %q", line, code, errs.String())
		}
	}
}

func TestDownAndCleanWhereNothingIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for _, command := range []string{"down", "clean"} {
		var out, errs bytes.Buffer
		if code := Main([]string{command, "--dir", dir}, &out, &errs); code != 0 {
			t.Errorf("%s: exit code %d, %q", command, code, errs.String())
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
}
