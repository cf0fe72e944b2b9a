package intake_test

import (
	"os"
	"testing"

	"orchestrator/cmd/testkit/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m).Run()) }
