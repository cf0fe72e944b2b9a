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

// clockSkew is how far a delivery's timestamp may differ from this clock, as Standard Webhooks recommends.
const clockSkew = 5 * time.Minute

// read parses and checks a delivery. It is strict, so that a worker that breaks the contract is noticed.
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
		return c, fmt.Errorf("webhook-timestamp differs from this clock by %s", skew.Round(time.Second))
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
	var err error
	for _, known := range b.known {
		if err = known.VerifyIgnoringTimestamp(body, r.Header); err == nil { // read has checked the timestamp
			c.Signed = true
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("webhook-signature: %w", err)
	}
	return nil
}

// readBody accepts exactly the fields that the contract defines for each status.
func readBody(body []byte, c *Callback) error {
	var message struct {
		Status   provision.Status `json:"status"`
		URL      string           `json:"url"`
		Error    string           `json:"error"`
		Password string           `json:"password"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&message); err != nil {
		return errors.New("the body is not a JSON object with the fields status, url, error and password only")
	}
	ready := message.Status == provision.StatusReady
	failed := message.Status == provision.StatusFailed || message.Status == provision.StatusDeleteFailed
	progress := message.Status == provision.StatusProvisioning || message.Status == provision.StatusDeleting
	switch {
	case !message.Status.Final() && !progress:
		return fmt.Errorf("the contract has no status %q", message.Status)
	case ready != (message.URL != ""), ready != (message.Password != ""):
		return errors.New("READY must have url and password, and no other status may have them")
	case failed != (message.Error != ""):
		return errors.New("FAILED and DELETE_FAILED must have error, and no other status may have it")
	}
	c.Status, c.URL, c.Error, c.Password = message.Status, message.URL, message.Error, message.Password
	return nil
}
