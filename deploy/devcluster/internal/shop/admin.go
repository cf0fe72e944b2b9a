package shop

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// hostMode is one entry of the admin API.
type hostMode struct {
	Host string `json:"host"`
	Mode Mode   `json:"mode"`
}

// Admin returns the API that makes hosts misbehave: PUT /hosts/{host} with {"mode": …}, GET /hosts, GET and DELETE
// /hosts/{host}; GET /healthz says that it runs. It belongs on loopback, since it has no authentication.
func (s *Shop) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /hosts", s.listHosts)
	mux.HandleFunc("GET /hosts/{host}", s.showHost)
	mux.HandleFunc("PUT /hosts/{host}", s.putHost)
	mux.HandleFunc("DELETE /hosts/{host}", s.deleteHost)
	return mux
}

func (s *Shop) listHosts(w http.ResponseWriter, _ *http.Request) {
	hosts := []hostMode{}
	for host, mode := range s.modes.all() {
		hosts = append(hosts, hostMode{host, mode})
	}
	slices.SortFunc(hosts, func(a, b hostMode) int { return strings.Compare(a.Host, b.Host) })
	writeJSON(w, http.StatusOK, map[string]any{"hosts": hosts})
}

func (s *Shop) showHost(w http.ResponseWriter, r *http.Request) {
	host := normalHost(r.PathValue("host"))
	writeJSON(w, http.StatusOK, hostMode{host, s.modes.of(host)})
}

func (s *Shop) putHost(w http.ResponseWriter, r *http.Request) {
	var body struct{ Mode string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&body); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": `the body is not {"mode": …}: ` + err.Error()})
		return
	}
	mode, err := parseMode(body.Mode)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	host := normalHost(r.PathValue("host"))
	s.modes.set(host, mode)
	writeJSON(w, http.StatusOK, hostMode{host, mode})
}

func (s *Shop) deleteHost(w http.ResponseWriter, r *http.Request) {
	s.modes.forget(normalHost(r.PathValue("host")))
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
