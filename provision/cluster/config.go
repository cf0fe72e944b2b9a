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

// Config says which cluster to connect to and what every store of this installation shares.
type Config struct {
	Name       string         // in log lines; "" where there is one cluster only
	Kubeconfig string         // path, or several as in KUBECONFIG; "" means what follows, or the pod's own service account
	Text       []byte         // a kubeconfig itself
	API        *API           // an API server that is logged in to with tokens
	Env        string         // picks the chart's values-<Env>.yaml, which may be absent; "" picks none
	Values     map[string]any // the installation's values, over the chart's and the environment's ([LoadValues])
	Charts     fs.FS          // store/<chart> holds one chart per folder
	Writes     int            // how many writes and Helm operations run at once; 0 means twice the number of CPUs
	StoreRole  string         // ClusterRole that the process binds itself to in each store's namespace; "" where it has its rights already
	Log        *slog.Logger   // nil means slog.Default; Helm and client-go write to it at debug level
}

func (c Config) withDefaults() (Config, error) {
	if c.Charts == nil {
		return c, fmt.Errorf("cluster: no charts were given")
	}
	if strings.ContainsAny(c.Env, `/\`) {
		return c, fmt.Errorf("cluster: environment %q may not contain a slash: it is a part of a file's name", c.Env)
	}
	if c.Writes <= 0 {
		c.Writes = 2 * runtime.GOMAXPROCS(0)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c, nil
}

// LoadValues reads a YAML file of values for [Config]. An empty path means none.
func LoadValues(path string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the installation's values cannot be read: %w", err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("the installation's values in %s are not a YAML mapping: %w", path, err)
	}
	return values, nil
}

// restConfig finds the API server and how to log in to it. It asks no network.
func (c Config) restConfig() (*rest.Config, error) {
	switch {
	case c.Kubeconfig != "":
		return fromFiles(c.Kubeconfig)
	case len(c.Text) > 0:
		cfg, err := clientcmd.RESTConfigFromKubeConfig(c.Text)
		if err != nil {
			return nil, fmt.Errorf("the kubeconfig that was given as a text does not lead to a cluster: %w", err)
		}
		return cfg, nil
	case c.API != nil:
		return c.API.restConfig(), nil
	}
	cfg, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("no kubeconfig was given and this is not a pod with a service account: %w", err)
	}
	return cfg, nil
}

func fromFiles(kubeconfig string) (*rest.Config, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(kubeconfig)}
	raw, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s cannot be read: %w", kubeconfig, err)
	}
	cfg, err := clientcmd.NewDefaultClientConfig(*raw, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s does not lead to a cluster: %w", kubeconfig, err)
	}
	return cfg, nil
}
