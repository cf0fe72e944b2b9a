package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// requestTimeout is for one request with its response.
const requestTimeout = 15 * time.Second

// Client sends requests to one API server.
type Client struct {
	server    string
	transport http.RoundTripper // adds the login
}

// Server is the URL of the API server.
func (c *Client) Server() string { return c.server }

// Transport is the client's connection pool. It adds the login to each request.
func (c *Client) Transport() http.RoundTripper { return c.transport }

// StatusError is a response whose status is not 2xx.
type StatusError struct {
	Method, Path string
	Code         int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: the cluster answers %d %s", e.Method, e.Path, e.Code, http.StatusText(e.Code))
}

// Release is the newest record that Helm keeps of a release.
type Release struct {
	Revision        int
	Status          string
	ResourceVersion string // changes with every write to the record
}

// Release returns the newest record of a release. Revision is 0 if there is none.
func (c *Client) Release(ctx context.Context, namespace, name string) (Release, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				ResourceVersion string            `json:"resourceVersion"`
				Labels          map[string]string `json:"labels"`
			} `json:"metadata"`
		} `json:"items"`
	}
	query := url.Values{"labelSelector": {"owner=helm,name=" + name}}
	err := c.Get(ctx, "/api/v1/namespaces/"+url.PathEscape(namespace)+"/secrets?"+query.Encode(), &list)
	var newest Release
	for _, item := range list.Items {
		labels := item.Metadata.Labels
		if revision, _ := strconv.Atoi(labels["version"]); revision > newest.Revision {
			newest = Release{revision, labels["status"], item.Metadata.ResourceVersion}
		}
	}
	return newest, err
}

// HasNamespace reports whether a namespace exists, also one that is being deleted.
func (c *Client) HasNamespace(ctx context.Context, name string) (bool, error) {
	err := c.Get(ctx, "/api/v1/namespaces/"+url.PathEscape(name), &struct{}{})
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// Get decodes the JSON at a path.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	text, err := c.do(ctx, http.MethodGet, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Text returns what is at a path.
func (c *Client) Text(ctx context.Context, path string) (string, error) {
	text, err := c.do(ctx, http.MethodGet, path)
	return string(text), err
}

// Delete asks for the object at a path to be deleted.
func (c *Client) Delete(ctx context.Context, path string) error {
	_, err := c.do(ctx, http.MethodDelete, path)
	return err
}

func (c *Client) do(ctx context.Context, method, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := (&http.Client{Transport: c.transport}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("the cluster does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return nil, &StatusError{method, path, resp.StatusCode}
	}
	return io.ReadAll(resp.Body)
}

// authorized adds a token to each request.
type authorized struct {
	token string
	next  http.RoundTripper
}

func (a authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+a.token)
	return a.next.RoundTrip(req)
}
