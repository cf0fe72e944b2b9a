package main

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"orchestrator/cmd/internal/service"
	"orchestrator/provision"
)

func TestVerdictIsThatOfTheWorstCheck(t *testing.T) {
	ok, unknown := provision.Checked("redis", "it answers"), provision.Unchecked("eu", "whether")
	warning, failed := provision.Warned("redis", "do", "it warns"), provision.FailedCheck("backend", "do", "it is away")
	for want, all := range map[service.ExitCode][]provision.Check{0: {ok, unknown}, 2: {warning, ok}, 1: {warning, failed, ok}} {
		got, _ := errors.AsType[service.ExitCode](verdict(all))
		if got != want {
			t.Errorf("exit code %d, want %d", got, want)
		}
	}
}

func TestPrintChecksPutsTheRemedyBelow(t *testing.T) {
	var out strings.Builder
	printChecks(&out, []provision.Check{provision.Checked("redis", "it answers"), provision.FailedCheck("backend", "check it", "it is away")})
	want := "ok       redis    it answers\nfailed   backend  it is away\n                  → check it\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestCheckRefusesWrongArguments(t *testing.T) {
	for _, args := range [][]string{{"-o", "yaml"}, {"eu"}, {"--bad"}} {
		if err := check(t.Context(), config{}, args, io.Discard, slog.New(slog.DiscardHandler)); !errors.Is(err, service.ErrUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
