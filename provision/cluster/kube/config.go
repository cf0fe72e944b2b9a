package kube

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config selects the API server and its credentials: the first of Kubeconfig, Text and APIServer that is set, and else the
// pod's own service account.
type Config struct {
	Name       string     // for log records; "" if there is only one cluster
	Kubeconfig string     // path, or several as in KUBECONFIG
	Text       []byte     // content of a kubeconfig
	APIServer  *APIServer // accepts short-lived tokens
	// Wrap is around each request that is sent over the shared connection, nil: nothing is. It sees the request's context, and so whose run it is of.
	Wrap     func(http.RoundTripper) http.RoundTripper
	Writes   int          // limit of concurrent writes and Helm operations; 0 means that it adapts to how the API server answers
	Observer Observer     // is told of each request; nil: nothing is
	Log      *slog.Logger // nil means slog.Default; Helm and client-go write to it at debug level
}

func (c Config) withDefaults() Config {
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// restConfig finds the API server and its credentials, without network requests.
func (c Config) restConfig() (*rest.Config, error) {
	switch {
	case c.Kubeconfig != "":
		return fromFiles(c.Kubeconfig)
	case len(c.Text) > 0:
		cfg, err := clientcmd.RESTConfigFromKubeConfig(c.Text)
		if err != nil {
			return nil, fmt.Errorf("the content of the kubeconfig does not describe a cluster: %w", err)
		}
		return cfg, nil
	case c.APIServer != nil:
		return c.APIServer.restConfig(), nil
	}
	cfg, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("no kubeconfig given, and this process does not run in a pod with a service account: %w", err)
	}
	return cfg, nil
}

func fromFiles(kubeconfig string) (*rest.Config, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(kubeconfig)}
	raw, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("cannot read kubeconfig %s: %w", kubeconfig, err)
	}
	cfg, err := clientcmd.NewDefaultClientConfig(*raw, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s does not describe a cluster: %w", kubeconfig, err)
	}
	return cfg, nil
}
