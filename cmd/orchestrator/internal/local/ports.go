package local

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// place is an address that a part of the service listens on, and the variable that changes it.
type place struct {
	part, variable, address string
}

// places are the addresses of a service, by part.
type places struct {
	Ingest, IngestAdmin, Worker, Monitor, Backend place
}

func defaultPlaces() places {
	return places{
		Ingest:      place{"ingest", "ORCH_ADDR", "127.0.0.1:9000"},
		Worker:      place{"worker", "ORCH_WORKER_ADMIN_ADDR", "127.0.0.1:9001"},
		Monitor:     place{"monitor", "ORCH_MONITOR_ADDR", "127.0.0.1:9002"},
		IngestAdmin: place{"ingest's metrics", "ORCH_INGEST_ADMIN_ADDR", "127.0.0.1:9003"},
		Backend:     place{"stand-in backend", "ORCH_BACKEND_ADDR", "127.0.0.1:9004"},
	}
}

func (p *places) all() []*place {
	return []*place{&p.Ingest, &p.Worker, &p.Monitor, &p.IngestAdmin, &p.Backend}
}

// choosePlaces returns addresses that are free now: what the environment says, else the defaults, or any with auto. The
// error names everything that is taken.
func choosePlaces(auto bool, getenv func(string) string) (places, error) {
	p := defaultPlaces()
	var taken []string
	for _, one := range p.all() {
		if given := getenv(one.variable); given != "" {
			one.address = given
		} else if auto {
			one.address = "127.0.0.1:0"
		}
		listener, err := net.Listen("tcp", one.address)
		if err != nil {
			taken = append(taken, fmt.Sprintf("\n  %-16s  %-22s  %s", one.address, one.variable, reason(err)))
			continue
		}
		defer listener.Close() // only at the end, so that no port is chosen twice
		if strings.HasSuffix(one.address, ":0") {
			one.address = listener.Addr().String()
		}
	}
	if len(taken) > 0 {
		return p, fmt.Errorf("these addresses cannot be listened on:%s\nSet the variables to others, or let free ones be chosen with --ports auto", strings.Join(taken, ""))
	}
	return p, nil
}

func reason(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}

// url is where a client on this machine reaches the place.
func (p place) url() string {
	host, port, err := net.SplitHostPort(p.address)
	if err != nil {
		return "http://" + p.address
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
