package redistest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

var portsGiven sync.Map

// freePort is a port on loopback below those that the kernel gives to connections: one of these could take it before the
// server does.
func freePort() (int, error) {
	for range 1000 {
		port := 10000 + rand.IntN(20000)
		if _, taken := portsGiven.LoadOrStore(port, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, errors.New("no port is free on loopback")
}
