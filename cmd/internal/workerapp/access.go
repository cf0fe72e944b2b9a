package workerapp

import (
	"encoding/base64"
	"errors"
	"strings"

	"orchestrator/provision/cluster/kube"
)

// Access leads to the cluster: the first of these that is set.
type Access struct {
	Kubeconfig     string `env:"KUBECONFIG" help:"file that leads to the cluster where ORCH_CLUSTERS names none; empty: ORCH_KUBECONFIG_DATA, or the pod's own service account"`
	KubeconfigData string `env:"ORCH_KUBECONFIG_DATA" help:"a kubeconfig itself, as YAML or in base64, where there is no file"`

	API *kube.APIServer // not from the environment: for platforms with tokens of their own
}

// text is the kubeconfig that was given itself.
func (a Access) text() ([]byte, error) {
	data := strings.TrimSpace(a.KubeconfigData)
	if strings.ContainsAny(data, ":{") { // no base64 has these, no kubeconfig lacks them
		return []byte(data), nil
	}
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), "")) // base64 breaks lines
	if err != nil {
		return nil, errors.New("ORCH_KUBECONFIG_DATA is neither a kubeconfig nor the base64 of one")
	}
	return text, nil
}

// name is how an operator would name the way to a cluster.
func (a Access) name(kubeconfig string) string {
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
