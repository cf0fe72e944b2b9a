package rig

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"

	"orchestrator/cmd/internal/kube"
)

// KubeProxy stands between one worker and the API server.
type KubeProxy struct {
	Kubeconfig string
	server     *http.Server
	gate       gate
}

// NewKubeProxy listens on loopback, writes a kubeconfig that points to it, and calls wrote before it forwards a request that
// changes something in a namespace.
func NewKubeProxy(kubeconfig string, k *kube.Client, wrote func(Write)) (*KubeProxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	upstream, err := url.Parse(k.Server())
	if err != nil {
		return nil, err
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		Transport:     k.Transport(),
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		// An API server that is down breaks connections; it does not respond with 502.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	p := &KubeProxy{Kubeconfig: kubeconfig, server: &http.Server{ErrorLog: log.New(io.Discard, "", 0)}}
	p.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if w := change(r); w.Namespace != "" {
			wrote(w)
		}
		forward.ServeHTTP(w, r)
	})
	go func() { _ = p.server.Serve(gatedListener{listener, &p.gate}) }() // ends with Close
	return p, os.WriteFile(kubeconfig, fmt.Appendf(nil, kubeconfigText, listener.Addr()), 0o600)
}

// The worker uses plain HTTP without credentials; the proxy adds TLS and the token.
const kubeconfigText = `apiVersion: v1
kind: Config
clusters: [{name: chaos, cluster: {server: "http://%s"}}]
contexts: [{name: chaos, context: {cluster: chaos}}]
current-context: chaos
`

// Write is a request that changes something in a namespace.
type Write struct {
	Namespace string
	What      string // method and path
	// Noted is set for the annotations of an outcome and of its delivery. They are no part of a run: any worker that delivers the callback
	// writes them, under a condition that the API server checks.
	Noted bool
}

// change returns what a request changes. A port-forward changes nothing.
func change(r *http.Request) Write {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/portforward") {
		return Write{}
	}
	_, rest, _ := strings.Cut(r.URL.Path, "/namespaces/")
	namespace, _, _ := strings.Cut(rest, "/")
	return Write{namespace, r.Method + " " + r.URL.Path, r.Header.Get("Content-Type") == "application/json-patch+json"}
}

// Split holds all that comes and goes until Join, and breaks what was held then.
func (p *KubeProxy) Split() { p.gate.close() }

// Join ends a Split.
func (p *KubeProxy) Join() { p.gate.open() }

// Close ends the proxy and every connection through it.
func (p *KubeProxy) Close() {
	p.gate.open()
	_ = p.server.Close()
}
