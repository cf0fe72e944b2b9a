package workerapp

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"orchestrator/provision/cluster/kube"
)

// Access says how to reach the cluster. The first field that is set is used; without any it is the service account of the pod.
type Access struct {
	Kubeconfig     string `env:"KUBECONFIG" help:"kubeconfig file, if ORCH_CLUSTERS names no cluster; empty: ORCH_KUBECONFIG_DATA, else the service account of the pod"`
	KubeconfigData string `env:"ORCH_KUBECONFIG_DATA" help:"content of a kubeconfig, as YAML or in base64, for platforms without files"`

	API  *kube.APIServer                           // not from the environment: for platforms with tokens of their own
	Wrap func(http.RoundTripper) http.RoundTripper // not from the environment: around each request to the API server
}

// kubeconfigText returns the content of ORCH_KUBECONFIG_DATA.
func (a Access) kubeconfigText() ([]byte, error) {
	data := strings.TrimSpace(a.KubeconfigData)
	if strings.ContainsAny(data, ":{") { // base64 never has these characters, a kubeconfig always has one of them
		return []byte(data), nil
	}
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), "")) // base64 may have line breaks
	if err != nil {
		return nil, errors.New("ORCH_KUBECONFIG_DATA is neither a kubeconfig nor one in base64")
	}
	return text, nil
}

// describe names the cluster for an operator. kubeconfig is that of ORCH_CLUSTERS or KUBECONFIG.
func (a Access) describe(kubeconfig string) string {
	switch {
	case kubeconfig != "":
		return kubeconfig
	case a.KubeconfigData != "":
		return "ORCH_KUBECONFIG_DATA"
	case a.API != nil:
		return a.API.Server
	}
	return "in-cluster"
}

// variable returns the variable that a connection error is about.
func (a Access) variable(cluster, kubeconfig string) string {
	switch {
	case cluster != "":
		return "ORCH_CLUSTERS: cluster " + cluster
	case kubeconfig == "" && a.KubeconfigData != "":
		return "ORCH_KUBECONFIG_DATA"
	}
	return "KUBECONFIG"
}
