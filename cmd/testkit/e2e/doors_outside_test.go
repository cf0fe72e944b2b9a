//go:build realcluster

package e2e

import (
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// outside is a place that is neither node nor pod, and what it stands in for.
type outside struct {
	command  []string // what leads there
	routed   bool     // pods' addresses are reached from there, unless a policy is in front of them
	metadata string   // host:port that the metadata service has; "" is none
	public   string   // a public address that answers on the ports 443 and 80; "" is none
}

// outsideOf reads DOORS_OUTSIDE: netns makes a network namespace beside the node that this machine is; anything else is a command that leads outside, and
// nothing is this machine.
func outsideOf(t *testing.T, getenv func(string) string) outside {
	t.Helper()
	if getenv("DOORS_OUTSIDE") == "netns" {
		return newNetns(t)
	}
	o := outside{command: strings.Fields(getenv("DOORS_OUTSIDE")), metadata: getenv("DOORS_METADATA"), public: getenv("DOORS_PUBLIC")}
	switch o.metadata {
	case "":
		o.metadata = net.JoinHostPort(metadataAddr, "80")
	case "none":
		o.metadata = ""
	}
	return o
}

const (
	netns        = "orchestrator-doors"
	netnsLink    = "orch-doors"
	metadataAddr = "169.254.169.254"
	publicAddr   = "203.0.113.10" // of TEST-NET-3: public to a policy, and of no host
)

// newNetns makes a network namespace with a link to this node. Listeners in it stand in for a host of the internet and for the cloud's metadata service.
func newNetns(t *testing.T) outside {
	t.Helper()
	removeNetns() // of a run that was killed
	t.Cleanup(removeNetns)
	for _, line := range []string{
		"netns add " + netns,
		"link add " + netnsLink + " type veth peer name eth0 netns " + netns,
		"addr add 203.0.113.1/24 dev " + netnsLink,
		"link set " + netnsLink + " up",
		"-n " + netns + " link set lo up",
		"-n " + netns + " addr add " + publicAddr + "/24 dev eth0",
		"-n " + netns + " addr add " + metadataAddr + "/32 dev eth0",
		"-n " + netns + " link set eth0 up",
		"-n " + netns + " route add default via 203.0.113.1",
		"route add " + metadataAddr + "/32 dev " + netnsLink,
	} {
		if out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s; DOORS_OUTSIDE=netns needs root on the node", line, err, out)
		}
	}
	o := outside{[]string{"ip", "netns", "exec", netns}, true, net.JoinHostPort(metadataAddr, "80"), publicAddr}
	o.listen(t, o.metadata, net.JoinHostPort(publicAddr, "443"), net.JoinHostPort(publicAddr, "80"))
	return o
}

func removeNetns() {
	for _, line := range []string{"link del " + netnsLink, "netns del " + netns} {
		_ = exec.Command("ip", strings.Fields(line)...).Run() // it may not be there
	}
}

// listen has this test's program listen outside, until the test ends.
func (o outside) listen(t *testing.T, addrs ...string) {
	t.Helper()
	words := slices.Concat(o.command, []string{os.Args[0], "-test.run=^TestListenOutside$"})
	command := exec.Command(words[0], words[1:]...)
	command.Env = append(os.Environ(), "DOORS_LISTEN="+strings.Join(addrs, " "))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = command.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, len(listening))); err != nil {
		t.Fatalf("what should listen on %s has ended: %v", addrs, err)
	}
}

const listening = "listening\n"

// TestListenOutside is no test: outside.listen runs it elsewhere. It listens on DOORS_LISTEN until its standard input ends.
func TestListenOutside(t *testing.T) {
	addrs := strings.Fields(os.Getenv("DOORS_LISTEN"))
	if len(addrs) == 0 {
		t.Skip("TestDoorsAreClosed runs it, in another network")
	}
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		go accept(l)
	}
	_, _ = os.Stdout.WriteString(listening)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.Close()
	}
}
