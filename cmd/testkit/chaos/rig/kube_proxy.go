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
}

// NewKubeProxy listens on loopback, writes a kubeconfig that points to it, and calls wrote before it forwards a request that
// changes something in a namespace.
func NewKubeProxy(kubeconfig string, k *kube.Client, wrote func(namespace, what string)) (*KubeProxy, error) {
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
		if namespace, what := change(r); namespace != "" {
			wrote(namespace, what)
		}
		forward.ServeHTTP(w, r)
	})
	go func() { _ = p.server.Serve(listener) }() // ends with Close
	return p, os.WriteFile(kubeconfig, fmt.Appendf(nil, kubeconfigText, listener.Addr()), 0o600)
}

// The worker uses plain HTTP without credentials; the proxy adds TLS and the token.
const kubeconfigText = `apiVersion: v1
kind: Config
clusters: [{name: chaos, cluster: {server: "http://%s"}}]
contexts: [{name: chaos, context: {cluster: chaos}}]
current-context: chaos
`

// change returns the namespace that a request changes, and how. The annotations of an outcome and of its delivery do not
// count: any worker that delivers the callback writes them, under a condition that the API server checks. Neither does a
// port-forward.
func change(r *http.Request) (namespace, what string) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.URL.Path, "/portforward") ||
		r.Header.Get("Content-Type") == "application/json-patch+json" {
		return "", ""
	}
	_, rest, found := strings.Cut(r.URL.Path, "/namespaces/")
	if !found {
		return "", ""
	}
	namespace, _, _ = strings.Cut(rest, "/")
	return namespace, r.Method + " " + r.URL.Path
}

// Close ends the proxy and every connection through it.
func (p *KubeProxy) Close() { _ = p.server.Close() }
