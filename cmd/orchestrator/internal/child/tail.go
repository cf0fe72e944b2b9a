package child

import (
	"bytes"
	"io"
	"os"
	"strings"
)

const (
	tailLines = 6
	tailBytes = 8 << 10
	tailWidth = 400
)

// tail is the end of a log, each line indented on a line of its own, and "" for a log without lines.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailBytes {
		_, _ = f.Seek(-tailBytes, io.SeekEnd) // at worst, more than the end is read
	}
	text, _ := io.ReadAll(io.LimitReader(f, tailBytes))
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	lines = lines[max(0, len(lines)-tailLines):]
	var b strings.Builder
	for _, line := range lines {
		if len(line) > 0 {
			b.WriteString("\n    ")
			b.Write(line[:min(len(line), tailWidth)])
		}
	}
	return b.String()
}
