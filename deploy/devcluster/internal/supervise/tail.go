package supervise

import (
	"io"
	"os"
	"strings"
)

// tail returns the last lines of a file, indented, cut to what a person reads.
func tail(path string, lines int) string {
	const most = 32 << 10
	f, err := os.Open(path)
	if err != nil {
		return "  (" + err.Error() + ")"
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	data, _ := io.ReadAll(f)
	text := strings.TrimRight(string(data), "\n")
	if text == "" {
		return "  (nothing)"
	}
	all := strings.Split(text, "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i] = "  " + line[:min(len(line), 400)]
	}
	return strings.Join(all, "\n")
}
