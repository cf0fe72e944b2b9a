package rig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"sigs.k8s.io/yaml"
)

// Kube is a way to the API server that is nobody's but the tester's.
type Kube struct {
	server, token string
	transport     *http.Transport
}

// NewKube reads the development cluster's kubeconfig.
func NewKube(kubeconfig string) (*Kube, error) {
	text, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	if len(config.Clusters) != 1 || len(config.Users) != 1 {
		return nil, errors.New("not the kubeconfig of a development cluster")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.Clusters[0].Cluster.CA)
	return &Kube{server: config.Clusters[0].Cluster.Server, token: config.Users[0].User.Token,
		transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 64}}, nil
}

// Get reads what is at a path.
func (k *Kube) Get(ctx context.Context, path string, into any) error {
	return k.do(ctx, http.MethodGet, path, into)
}

// Delete asks for the object at a path to be deleted.
func (k *Kube) Delete(ctx context.Context, path string) error {
	return k.do(ctx, http.MethodDelete, path, &struct{}{})
}

// Text reads what is at a path and is no JSON.
func (k *Kube) Text(ctx context.Context, path string) (string, error) {
	resp, err := k.ask(ctx, http.MethodGet, path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func (k *Kube) do(ctx context.Context, method, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	resp, err := k.ask(ctx, method, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

// ask returns an answer that is none of a refusal.
func (k *Kube) ask(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, k.server+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+k.token)
	req.Header.Set("Accept", "application/json")
	resp, err := (&http.Client{Transport: k.transport}).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		resp.Body.Close()
		return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return resp, nil
}
