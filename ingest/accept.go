package ingest

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// accepted is the response to a request that was recorded.
type accepted struct {
	OK         bool         `json:"ok"`
	Accepted   bool         `json:"accepted"`
	StoreID    string       `json:"store_id"`
	Action     provision.Op `json:"action"`
	Generation int64        `json:"generation"`
	TaskID     string       `json:"task_id"`
}

// post is POST / and POST /orchestrate.
func (s *server) post(c echo.Context) error {
	body, err := s.readBody(c)
	if err != nil {
		return err
	}
	r, bad, err := decode(body, provision.Request{Action: provision.OpProvision})
	if err != nil {
		return err
	}
	retain, err := retainFromQuery(c)
	if err != nil {
		return err
	}
	if retain.given && retain.value != r.RetainData {
		bad = append(bad, provision.FieldError{Field: retainData, Detail: "belongs in the body of a POST; the query contradicts it"})
	}
	return s.accept(c, r, bad)
}

// remove is DELETE /stores/{store_id}.
func (s *server) remove(c echo.Context) error {
	id := pathID(c)
	if id == "" || strings.Contains(id, "/") {
		return echo.ErrNotFound
	}
	body, err := s.readBody(c)
	if err != nil {
		return err
	}
	retain, err := retainFromQuery(c)
	if err != nil {
		return err
	}
	r, bad := provision.Request{StoreID: id, Action: provision.OpDelete, RetainData: retain.value}, []provision.FieldError(nil)
	if len(body) > 0 {
		if r, bad, err = decode(body, r); err != nil {
			return err
		}
	}
	if r.StoreID != id {
		bad = append(bad, provision.FieldError{Field: "store_id", Detail: "must equal the store_id in the path, or be absent"})
	}
	if r.Action != provision.OpDelete {
		bad = append(bad, provision.FieldError{Field: "action", Detail: `must be "delete", or be absent`})
	}
	if retain.given && retain.value != r.RetainData {
		bad = append(bad, provision.FieldError{Field: retainData, Detail: "differs between the body and the query"})
	}
	return s.accept(c, provision.Request{StoreID: id, Action: provision.OpDelete, RetainData: r.RetainData}, bad)
}

// accept validates r, hands it to the Acceptor and answers. The errors of decode come first, and each field is listed once.
func (s *server) accept(c echo.Context, r provision.Request, bad []provision.FieldError) error {
	c.Set(requestInfoKey, requestInfo{storeID: r.StoreID})
	if bad = join(bad, r.Validate(s.Policy)); len(bad) > 0 {
		return invalidFields(bad)
	}
	grace, err := s.graceOf(c, r)
	if err != nil {
		return err
	}
	generation, err := ifMatch(c)
	if err != nil {
		return err
	}
	ctx, cancel := s.changing(c)
	defer cancel()
	action, a, err := s.record(ctx, r, generation, grace)
	if err != nil {
		return uncertain(err)
	}
	return answerAccepted(c, r.StoreID, action, a)
}

// answerAccepted answers a request that was recorded.
func answerAccepted(c echo.Context, id string, action provision.Op, a provision.Accepted) error {
	c.Set(requestInfoKey, requestInfo{id, a.Generation, a.TaskID, a.Joined})
	linkJoined(c.Request().Context(), a)
	return c.JSON(http.StatusAccepted, accepted{true, true, id, action, a.Generation, a.TaskID})
}

// changing is the context of what changes the record. The client may disconnect; the task of what is recorded must be enqueued all the same.
func (s *server) changing(c echo.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), s.Timeout)
	return provision.WithOrigin(ctx, provision.Origin{By: callerOf(c), RequestID: c.Response().Header().Get(echo.HeaderXRequestID), Trace: traceOf(ctx)}), cancel
}

// record records r, and returns what the answer calls it: a delete with grace that the backend has asked for is a request to stop the shop.
func (s *server) record(ctx context.Context, r provision.Request, generation int64, grace provision.Grace) (provision.Op, provision.Accepted, error) {
	if grace.For > 0 {
		a, found, err := s.Later.DeleteLater(ctx, r.StoreID, generation, grace)
		switch {
		case err != nil || found && grace.Quiet:
			return r.Action, a, err
		case found:
			return a.Action, a, nil
		}
	}
	a, err := s.acceptIf(ctx, r, generation)
	return r.Action, a, err
}

// acceptIf accepts r, if the generation is the newest one where it is not 0.
func (s *server) acceptIf(ctx context.Context, r provision.Request, generation int64) (provision.Accepted, error) {
	if generation == 0 {
		return s.Acceptor.Accept(ctx, r)
	}
	return s.Acceptor.AcceptIf(ctx, r, generation)
}

// uncertain adds to a 503 that the request may have been recorded: it is possible that only the reply was lost.
func uncertain(err error) error {
	p := asProblem(err)
	if p.kind == unavailable {
		p.Detail += "; what was recorded will be carried out. Send the same request again: it joins a recorded one and does not run twice"
	}
	return p
}

// join appends to first the errors about other fields.
func join(first, then []provision.FieldError) []provision.FieldError {
	named := map[string]bool{}
	for _, e := range first {
		named[e.Field] = true
	}
	for _, e := range then {
		if !named[e.Field] {
			first = append(first, e)
		}
	}
	return first
}

// pathID returns the store_id of the path.
func pathID(c echo.Context) string { return pathParam(c, "store_id") }

// pathParam returns a parameter of the path, unescaped. Echo leaves the escapes in it only if it matched the raw path.
func pathParam(c echo.Context, name string) string {
	id := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return id
	}
	plain, err := url.PathUnescape(id)
	if err != nil {
		return id
	}
	return plain
}

// retainParam is the parameter retain_data of the query.
type retainParam struct{ given, value bool }

// retainFromQuery parses retain_data. It refuses everything but true and false, because a caller that wants to keep the
// data must not lose it by a typing error.
func retainFromQuery(c echo.Context) (retainParam, error) {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return retainParam{}, malformed.problem("the query string is malformed")
	}
	values := query[retainData]
	if len(values) == 0 {
		return retainParam{}, nil
	}
	if len(values) > 1 || (values[0] != "true" && values[0] != "false") {
		return retainParam{}, invalidFields([]provision.FieldError{{Field: retainData, Detail: "must be given once, as true or false"}})
	}
	return retainParam{given: true, value: values[0] == "true"}, nil
}
