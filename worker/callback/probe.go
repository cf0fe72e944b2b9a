package callback

import (
	"context"
	"errors"
	"net/http"
)

// Probe asks the backend for nothing but an answer, over the connection that callbacks take. It returns the status of the answer, and where that leads if it
// is a redirect. No secret is sent, and the error names no URL.
func (s *Sender) Probe(ctx context.Context) (status, location string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/", nil)
	if err != nil {
		return "", "", err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return "", "", errors.New(withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 3 {
		location = resp.Header.Get("Location")
	}
	return resp.Status, location, nil
}
