package local

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"orchestrator/cmd/internal/process"
)

// address is where a part of the service listens, and the variable that changes it.
type address struct {
	part, variable, hostPort string
}

// addresses are the addresses of a service, by part.
type addresses struct {
	Ingest, IngestAdmin, Worker, Monitor, Backend address
}

func defaultAddresses() addresses {
	return addresses{
		Ingest:      address{"ingest", "ORCH_ADDR", "127.0.0.1:9000"},
		Worker:      address{"worker", "ORCH_WORKER_ADMIN_ADDR", "127.0.0.1:9001"},
		Monitor:     address{"monitor", "ORCH_MONITOR_ADDR", "127.0.0.1:9002"},
		IngestAdmin: address{"ingest admin", "ORCH_INGEST_ADMIN_ADDR", "127.0.0.1:9003"},
		Backend:     address{"stand-in backend", "ORCH_BACKEND_ADDR", "127.0.0.1:9004"},
	}
}

func (p *addresses) all() []*address {
	return []*address{&p.Ingest, &p.Worker, &p.Monitor, &p.IngestAdmin, &p.Backend}
}

// chooseAddresses returns addresses that are free now: those of the environment, else the defaults, or free ports with auto.
// The error names every address that cannot be used.
func chooseAddresses(auto bool, getenv func(string) string) (addresses, error) {
	p := defaultAddresses()
	var taken []string
	for _, one := range p.all() {
		if given := getenv(one.variable); given != "" {
			one.hostPort = given
		} else if auto {
			free, err := process.FreeAddr()
			if err != nil {
				return p, err
			}
			one.hostPort = free
		}
		listener, err := net.Listen("tcp", one.hostPort)
		if err != nil {
			taken = append(taken, fmt.Sprintf("\n  %-16s  %-22s  %s", one.hostPort, one.variable, reason(err)))
			continue
		}
		defer listener.Close() // after the loop, so that no port is chosen twice
		if strings.HasSuffix(one.hostPort, ":0") {
			one.hostPort = listener.Addr().String()
		}
	}
	if len(taken) > 0 {
		return p, fmt.Errorf("cannot listen on these addresses:%s\nSet the variables to other addresses, or use free ports with --ports auto", strings.Join(taken, ""))
	}
	return p, nil
}

func reason(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}

// url is how a client on this machine reaches the address.
func (p address) url() string {
	host, port, err := net.SplitHostPort(p.hostPort)
	if err != nil {
		return "http://" + p.hostPort
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
