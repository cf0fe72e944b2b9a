package process

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports for programs are taken below those that the systems give to connections (Linux 32768, others 49152): one of these
// could take a port between its choice and the start of the program that listens there, and while that program is down.
const firstPort, pastPorts = 10000, 32000

var portsGiven sync.Map

// FreePort is a port on loopback on which no process listens at the moment. It returns none twice.
func FreePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(pastPorts-firstPort)
		if _, given := portsGiven.LoadOrStore(port, true); given {
			continue
		}
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, errors.New("no port is free on loopback")
}

// FreeAddr is a loopback address with a FreePort.
func FreeAddr() (string, error) {
	port, err := FreePort()
	return loopback(port), err
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
