package gate

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// metrics are the counters and gauges as text: name, label values, value.
func (r *rig) metrics() string {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			line := family.GetName()
			for _, label := range m.GetLabel() {
				line += " " + label.GetValue()
			}
			value := fmt.Sprint(m.GetCounter().GetValue() + m.GetGauge().GetValue())
			if h := m.GetHistogram(); h != nil {
				value = fmt.Sprint(h.GetSampleCount())
			}
			lines = append(lines, line+" "+value)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestMetricsCountWithoutNamingAStore(t *testing.T) {
	r := newRig(t, newStorage(), nil)
	r.send(http.MethodPost, "data/"+sum("a pack"), "a pack")
	r.send(http.MethodGet, "data/"+sum("a pack"), "")
	r.send(http.MethodDelete, "data/"+sum("a pack"), "")
	r.send("BREW", "config", "")
	r.send(http.MethodGet, "elsewhere", "")
	request := r.request(http.MethodGet, "config", nil)
	request.Header.Del("Authorization")
	_, _, _ = r.do(request)
	r.storage.instead = raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
	r.client.CloseIdleConnections() // else the client repeats the request: the connection could have been closed before it
	request = r.request(http.MethodGet, "config", nil)
	if _, _, err := r.do(request); err == nil {
		t.Error("an answer that was cut off is none")
	}
	text := r.metrics()
	for _, want := range []string{
		"requests_total 200 data POST 1", "requests_total 200 data GET 1", "requests_total 403 data DELETE 1", "requests_total 405 config other 1", "requests_total 404 other GET 1",
		"requests_total 401 other GET 1", "requests_total cut config GET 1", "bytes_total in 6", "bytes_total out 11", "storage_duration_seconds 200 POST 1", "requests_in_progress 0",
	} {
		if !strings.Contains(text, "orchestrator_backup_gate_"+want+"\n") {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, own) {
		t.Errorf("a metric names a store:\n%s", text)
	}
}

// TestRefusalsDoNotFloodTheLog: each request has its line at debug level, and few of those that are refused one that is always written.
func TestRefusalsDoNotFloodTheLog(t *testing.T) {
	r := newRig(t, newStorage(), nil)
	r.send(http.MethodGet, "data/"+sum("absent"), "")
	for range 100 {
		r.send(http.MethodDelete, "config", "")
	}
	lines := slices.Collect(strings.Lines(r.log.String()))
	warned := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, `"level":"WARN"`) })
	if len(lines) != 101 || len(warned) < 10 || len(warned) > 50 {
		t.Errorf("%d lines, %d of them warnings", len(lines), len(warned))
	}
	if len(warned) > 0 && (!strings.Contains(warned[0], own) || !strings.Contains(warned[0], "nothing but a lock") || !strings.Contains(warned[0], `"installation":"shops"`)) {
		t.Errorf("the warning does not say what was refused: %s", warned[0])
	}
}
