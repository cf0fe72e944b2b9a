package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// api is the little that is asked of the API server here, as its administrator. It is plain HTTP on purpose: the supervising
// process and its tests then need none of the client libraries.
type api struct {
	base, token string
	http        *http.Client
}

func newAPI(address, token, caFile string) (*api, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate: run devcluster clean", caFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return &api{base: "https://" + address, token: token, http: &http.Client{Transport: transport, Timeout: 5 * time.Second}}, nil
}

func (a *api) ready(ctx context.Context) error {
	_, err := a.do(ctx, http.MethodGet, "/readyz", nil)
	return err
}

// get reads the object at path into out.
func (a *api) get(ctx context.Context, path string, out any) error {
	data, err := a.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, out)
}

// apply makes the object at path be as given, whatever was there: a server-side apply.
func (a *api) apply(ctx context.Context, path string, object any) error {
	data, err := json.Marshal(object) // JSON is YAML
	if err != nil {
		return err
	}
	_, err = a.do(ctx, http.MethodPatch, path+"?fieldManager=devcluster&force=true", data)
	return err
}

func (a *api) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, firstLine(data))
	}
	return data, nil
}

// answers returns a check that passes once the address answers 200.
func answers(url string) func(context.Context) error {
	return answersVia(&http.Client{Timeout: time.Second}, url)
}

func answersVia(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", url, resp.Status)
		}
		return nil
	}
}

// healthy returns a check of a component that serves with the cluster's certificate.
func (c *cluster) healthy(listener string) func(context.Context) error {
	return answersVia(c.api.http, "https://"+c.ports.Address(listener)+"/healthz")
}

func firstLine(data []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	return line[:min(len(line), 300)]
}
