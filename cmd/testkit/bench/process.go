package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"orchestrator/cmd/testkit/bench/figures"
	"orchestrator/cmd/testkit/chaos/rig"
)

// usage is what a process has used since it started.
type usage struct {
	cpu  float64 // seconds
	peak float64 // of its resident memory, in MB
}

const kibibyte = 1024.0 / 1e6 // in MB

// usageOf reads the usage of a process. Of one that has ended it is 0.
func usageOf(pid int) usage {
	return usage{cpu: figures.CPU(proc(strconv.Itoa(pid), "stat")), peak: figures.Field(proc(strconv.Itoa(pid), "status"), "VmHWM:") * kibibyte}
}

// resident is the memory that a process has now, in MB.
func resident(pid int) float64 {
	return figures.Field(proc(strconv.Itoa(pid), "status"), "VmRSS:") * kibibyte
}

// machineCPU is what all processors have computed, in seconds.
func machineCPU() float64 { return figures.MachineCPU(proc("stat")) }

// proc is the text of a file below /proc; "" where there is none.
func proc(path ...string) string {
	text, err := os.ReadFile(filepath.Join(append([]string{"/proc"}, path...)...))
	if err != nil {
		return ""
	}
	return string(text)
}

// controlPlane is the processor time of each component of a development cluster.
func controlPlane(c *rig.Cluster) (figures.Counts, error) {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(c.Kubeconfig), "run", "*.pid"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("the development cluster in %s has written down no process", filepath.Dir(c.Kubeconfig))
	}
	if err != nil {
		return nil, err
	}
	used := figures.Counts{"devcluster": usageOf(c.PID()).cpu}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		used[strings.TrimSuffix(filepath.Base(file), ".pid")] = figures.CPU(proc(strings.TrimSpace(string(text)), "stat"))
	}
	return used, nil
}

// ownUsage is what the bench itself has used.
func ownUsage() usage { return usageOf(os.Getpid()) }
