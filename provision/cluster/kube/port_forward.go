package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"orchestrator/provision"
)

// Tunnel is a port-forward to one port of one pod. Each connection through it is a pair of streams. It opens no local
// port, which other users of the machine could connect to.
type Tunnel struct {
	pod  string
	port int32
	conn httpstream.Connection
	next atomic.Int64
}

// handshakeTimeout is how long one attempt to connect to a pod may take: the caller tries again while there is time.
const handshakeTimeout = 10 * time.Second

// PortForward connects by WebSocket and, if a proxy in between does not support that, by SPDY. CodeUnavailable means that
// neither works.
func (c *Client) PortForward(ctx context.Context, namespace, pod string, port int32) (*Tunnel, error) {
	return c.portForward(ctx, namespace, pod, port, handshakeTimeout)
}

func (c *Client) portForward(ctx context.Context, namespace, pod string, port int32, limit time.Duration) (*Tunnel, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit,
		provision.Errorf(provision.CodeUnavailable, "pod %s was not reached through the Kubernetes API within %s", pod, limit))
	defer cancel()
	dialer, err := c.dialer(ctx, namespace, pod)
	if err != nil {
		return nil, fmt.Errorf("prepare a port-forward to pod %s: %w", pod, err)
	}
	type dialed struct {
		conn httpstream.Connection
		err  error
	}
	result := make(chan dialed, 1)
	go func() { // the dialer takes no context, but its requests have one
		conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		result <- dialed{conn, err}
	}()
	select {
	case d := <-result:
		if d.err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if d.err != nil {
			return nil, provision.Wrap(provision.CodeUnavailable, d.err, "pod %s cannot be reached through the Kubernetes API", pod)
		}
		return &Tunnel{pod: pod, port: port, conn: d.conn}, nil
	case <-ctx.Done():
		go func() {
			if d := <-result; d.err == nil {
				_ = d.conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// dialer connects to the pod within the deadline of ctx.
func (c *Client) dialer(ctx context.Context, namespace, pod string) (httpstream.Dialer, error) {
	config := rest.CopyConfig(c.rest)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) { return next.RoundTrip(req.WithContext(ctx)) })
	})
	url := c.Clientset.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	socket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, config)
	if err != nil {
		return nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	return portforward.NewFallbackDialerForStreaming(socket, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Close closes the tunnel and all connections through it.
func (t *Tunnel) Close() { _ = t.conn.Close() }

// Dial opens a connection to the pod's port.
func (t *Tunnel) Dial() (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(int(t.port)))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(t.next.Add(1), 10))
	failures, err := t.conn.CreateStream(headers)
	if err != nil {
		return nil, t.unreachable(err)
	}
	_ = failures.Close() // this side writes nothing to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := t.conn.CreateStream(headers)
	if err != nil {
		t.conn.RemoveStreams(failures)
		return nil, t.unreachable(err)
	}
	conn := &streamConn{Stream: data, tunnel: t, failures: failures, failed: make(chan struct{})}
	go conn.listen()
	return conn, nil
}

func (t *Tunnel) unreachable(err error) error {
	return provision.Wrap(provision.CodeUnavailable, err, "pod %s does not answer on port %d", t.pod, t.port)
}

// streamConn is a pair of streams as a net.Conn. It ignores deadlines: the HTTP client closes the connection instead.
type streamConn struct {
	httpstream.Stream
	tunnel   *Tunnel
	failures httpstream.Stream
	failed   chan struct{}
	failure  error // set before failed is closed
}

// listen reads the node's error about the connection, such as that no process listens on the port.
func (c *streamConn) listen() {
	defer close(c.failed)
	text, err := io.ReadAll(io.LimitReader(c.failures, 1<<10))
	switch {
	case len(text) > 0:
		c.failure = c.tunnel.unreachable(errors.New(string(text)))
	case err != nil:
		c.failure = c.tunnel.unreachable(err)
	}
}

// Read returns the node's error if the connection was refused; the data stream alone looks like an empty response.
func (c *streamConn) Read(p []byte) (int, error) {
	n, err := c.Stream.Read(p)
	if n == 0 && err == io.EOF {
		select {
		case <-c.failed:
			if c.failure != nil {
				return 0, c.failure
			}
		case <-time.After(time.Second): // the node closes both streams, in any order
		}
	}
	return n, err
}

func (c *streamConn) Close() error {
	err := c.Stream.Close()
	// Reset drops data in flight, so that it does not block the other streams, and a stream that the node leaves open does
	// not block the end of the tunnel.
	_ = c.Reset()
	_ = c.failures.Reset()
	c.tunnel.conn.RemoveStreams(c.Stream, c.failures)
	return err
}

func (c *streamConn) LocalAddr() net.Addr              { return tunnelAddr("orchestrator") }
func (c *streamConn) RemoteAddr() net.Addr             { return tunnelAddr(c.tunnel.pod) }
func (c *streamConn) SetDeadline(time.Time) error      { return nil }
func (c *streamConn) SetReadDeadline(time.Time) error  { return nil }
func (c *streamConn) SetWriteDeadline(time.Time) error { return nil }

type tunnelAddr string

func (tunnelAddr) Network() string  { return "portforward" }
func (a tunnelAddr) String() string { return string(a) }
