package backend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"orchestrator/provision"
)

// clockSkew is how far a delivery's time may be from ours, as Standard Webhooks recommends.
const clockSkew = 5 * time.Minute

// read checks a delivery and makes a Callback of it. It is strict, so that a worker that breaks the contract is seen.
func (b *Backend) read(r *http.Request, body []byte) (Callback, error) {
	c := Callback{At: b.Now(), StoreID: r.PathValue("id"), WebhookID: r.Header.Get("webhook-id")}
	if c.WebhookID == "" {
		return c, errors.New("the header webhook-id is missing")
	}
	sent, err := number(r, "webhook-timestamp")
	if err != nil {
		return c, err
	}
	if skew := c.At.Sub(time.Unix(sent, 0)); skew.Abs() > clockSkew {
		return c, fmt.Errorf("webhook-timestamp is %s away from this clock", skew.Round(time.Second))
	}
	if c.Generation, err = number(r, "X-Orchestrator-Generation"); err != nil {
		return c, err
	}
	if c.Sequence, err = number(r, "X-Orchestrator-Sequence"); err != nil {
		return c, err
	}
	if err := b.verify(r, body, &c); err != nil {
		return c, err
	}
	return c, readBody(body, &c)
}

func (b *Backend) verify(r *http.Request, body []byte, c *Callback) error {
	if b.webhook == nil {
		return nil
	}
	if err := b.webhook.VerifyIgnoringTimestamp(body, r.Header); err != nil { // the time was looked at already
		return fmt.Errorf("webhook-signature: %w", err)
	}
	c.Signed = true
	return nil
}

// readBody takes exactly the fields that the contract gives each status.
func readBody(body []byte, c *Callback) error {
	var said struct {
		Status   provision.Status `json:"status"`
		URL      string           `json:"url"`
		Error    string           `json:"error"`
		Password string           `json:"password"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&said); err != nil {
		return errors.New("the body is not {status, url?, error?, password?}")
	}
	ready := said.Status == provision.StatusReady
	failed := said.Status == provision.StatusFailed || said.Status == provision.StatusDeleteFailed
	progress := said.Status == provision.StatusProvisioning || said.Status == provision.StatusDeleting
	switch {
	case !said.Status.Final() && !progress:
		return fmt.Errorf("status %q is not of the contract", said.Status)
	case ready != (said.URL != ""), ready != (said.Password != ""):
		return errors.New("url and password belong to READY, and to nothing else")
	case failed != (said.Error != ""):
		return errors.New("error belongs to FAILED and DELETE_FAILED, and to nothing else")
	}
	c.Status, c.URL, c.Error, c.Password = said.Status, said.URL, said.Error, said.Password
	return nil
}
