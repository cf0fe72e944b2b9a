package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Cluster is an API server that can be asked.
type Cluster struct {
	server string
	token  string
	http   *http.Client
}

// Release is the newest record that Helm keeps of a release.
type Release struct {
	Revision        int
	Status          string
	ResourceVersion string // changes with every write to the record
}

// Release returns the newest record of a release; Revision is 0 where there is none.
func (c *Cluster) Release(ctx context.Context, namespace, name string) (Release, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				ResourceVersion string            `json:"resourceVersion"`
				Labels          map[string]string `json:"labels"`
			} `json:"metadata"`
		} `json:"items"`
	}
	query := url.Values{"labelSelector": {"owner=helm,name=" + name}}
	status, err := c.get(ctx, "/api/v1/namespaces/"+url.PathEscape(namespace)+"/secrets?"+query.Encode(), &list)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the cluster answers %d to the list of secrets in %s", status, namespace)
	}
	var newest Release
	for _, item := range list.Items {
		labels := item.Metadata.Labels
		if revision, _ := strconv.Atoi(labels["version"]); revision > newest.Revision {
			newest = Release{revision, labels["status"], item.Metadata.ResourceVersion}
		}
	}
	return newest, err
}

// HasNamespace reports whether a namespace exists, be it on its way out.
func (c *Cluster) HasNamespace(ctx context.Context, name string) (bool, error) {
	status, err := c.get(ctx, "/api/v1/namespaces/"+url.PathEscape(name), nil)
	if err == nil && status != http.StatusOK && status != http.StatusNotFound {
		err = fmt.Errorf("the cluster answers %d to the question for namespace %s", status, name)
	}
	return status == http.StatusOK, err
}

func (c *Cluster) get(ctx context.Context, path string, into any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("the cluster does not answer: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err == nil && resp.StatusCode == http.StatusOK && into != nil {
		err = json.Unmarshal(text, into)
	}
	return resp.StatusCode, err
}
