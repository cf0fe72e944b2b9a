package figures_test

import (
	"testing"

	"orchestrator/cmd/testkit/bench/figures"
)

func TestFieldReadsInfoAndStatus(t *testing.T) {
	for text, want := range map[string]float64{
		"# Memory\r\nused_memory_dataset:1234\r\nused_memory_dataset_perc:5%\r\n": 1234,
		"VmHWM:\t  2048 kB\nused_memory_dataset: 7 kB\n":                          7,
		"nothing":                0,
		"used_memory_dataset:\n": 0,
	} {
		if got := figures.Field(text, "used_memory_dataset:"); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestCPUOfAProgramWithAnyName(t *testing.T) {
	for stat, want := range map[string]float64{
		"7 (worker) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9": 3,
		"7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 1 1 0 0 20 0 9":     0.02,
		"": 0,
	} {
		if got := figures.CPU(stat); got != want {
			t.Errorf("%q: %v, want %v", stat, got, want)
		}
	}
}

func TestCPUOfTheMachineIsWhatWasNotIdle(t *testing.T) {
	for stat, want := range map[string]float64{
		"cpu  100 200 300 4000 500 60 40 9 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n": 7,
		"intr 1 2 3": 0,
		"":           0,
	} {
		if got := figures.MachineCPU(stat); got != want {
			t.Errorf("%q: %v, want %v", stat, got, want)
		}
	}
}
