package main

import (
	"maps"
	"testing"
)

func TestFieldReadsInfoAndStatus(t *testing.T) {
	for text, want := range map[string]float64{
		"# Memory\r\nused_memory_dataset:1234\r\nused_memory_dataset_perc:5%\r\n": 1234,
		"VmHWM:\t  2048 kB\nused_memory_dataset: 7 kB\n":                          7,
		"nothing":                0,
		"used_memory_dataset:\n": 0,
	} {
		if got := field(text, "used_memory_dataset:"); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestRequestsAreSummedByVerb(t *testing.T) {
	got := requests(`# HELP apiserver_request_total x
apiserver_request_total{code="200",verb="GET",resource="pods"} 3
apiserver_request_total{code="404",verb="GET",resource="secrets"} 2
apiserver_request_total{code="201",verb="POST",resource="pods"} 1e+02
apiserver_request_terminations_total{verb="GET"} 9
`)
	if want := (map[string]float64{"GET": 5, "POST": 100}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestCPUOfAProgramWithAnyName(t *testing.T) {
	for stat, want := range map[string]float64{
		"7 (worker) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9": 3,
		"7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 1 1 0 0 20 0 9":     0.02,
		"": 0,
	} {
		if got := cpuOf(stat); got != want {
			t.Errorf("%q: %v, want %v", stat, got, want)
		}
	}
}
