package figures

import (
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of the times in /proc, the same on every Linux that Go runs on.
const ticksPerSecond = 100

// Field is the number after a name, in a text of lines such as /proc/<pid>/status or Redis's INFO; 0 when there is none.
func Field(text, name string) float64 {
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(line, name)
		if words := strings.Fields(value); ok && len(words) > 0 {
			n, _ := strconv.ParseFloat(words[0], 64)
			return n
		}
	}
	return 0
}

// CPU reads the seconds that a process has computed, in itself and in the kernel, from /proc/<pid>/stat. They are behind the name of the
// program, which may have spaces.
func CPU(stat string) float64 {
	words := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(words) < 13 {
		return 0
	}
	return sum(words[11:13]) / ticksPerSecond
}

// MachineCPU reads the seconds that all processors have computed, from /proc/stat: what is not idle, and does not wait for a disk.
func MachineCPU(stat string) float64 {
	first, _, _ := strings.Cut(stat, "\n")
	words := strings.Fields(first)
	if len(words) < 8 || words[0] != "cpu" {
		return 0
	}
	return (sum(words[1:4]) + sum(words[6:8])) / ticksPerSecond
}

func sum(words []string) (sum float64) {
	for _, word := range words {
		n, _ := strconv.ParseFloat(word, 64)
		sum += n
	}
	return sum
}
