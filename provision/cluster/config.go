package cluster

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// Config selects the cluster to connect to and holds what all stores of the installation share.
type Config struct {
	Name       string         // for log records; "" if there is only one cluster
	Kubeconfig string         // path, or several as in KUBECONFIG; "" selects Text, API, or the pod's own service account
	Text       []byte         // content of a kubeconfig
	API        *API           // an API server that accepts short-lived tokens
	Env        string         // selects the chart's values-<Env>.yaml, which may be absent; "" selects none
	Values     map[string]any // the installation's values; they override the chart's and the environment's ([LoadValues])
	Charts     fs.FS          // store/<chart> holds one chart per folder
	Writes     int            // limit of concurrent writes and Helm operations; 0 means twice the number of CPUs
	StoreRole  string         // ClusterRole that the process binds itself to in each store's namespace; "" if it needs no binding
	Log        *slog.Logger   // nil means slog.Default; Helm and client-go write to it at debug level
}

func (c Config) withDefaults() (Config, error) {
	if c.Charts == nil {
		return c, fmt.Errorf("cluster: no charts given")
	}
	if strings.ContainsAny(c.Env, `/\`) {
		return c, fmt.Errorf("cluster: environment %q must not contain a slash: it becomes part of a file name", c.Env)
	}
	if c.Writes <= 0 {
		c.Writes = 2 * runtime.GOMAXPROCS(0)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c, nil
}

// LoadValues reads a YAML file of values for [Config]. An empty path means no values.
func LoadValues(path string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the installation's values: %w", err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("the installation's values in %s are not a YAML mapping: %w", path, err)
	}
	return values, nil
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
	case c.API != nil:
		return c.API.restConfig(), nil
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
