package ingest

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// accepted is the answer to a request that was recorded.
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
	asked, err := retainInQuery(c)
	if err != nil {
		return err
	}
	if asked.given && asked.retain != r.RetainData {
		bad = append(bad, provision.FieldError{Field: retainData, Detail: "stands in the body of a POST; the query says otherwise"})
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
	asked, err := retainInQuery(c)
	if err != nil {
		return err
	}
	r, bad := provision.Request{StoreID: id, Action: provision.OpDelete, RetainData: asked.retain}, []provision.FieldError(nil)
	if len(body) > 0 {
		if r, bad, err = decode(body, r); err != nil {
			return err
		}
	}
	if r.StoreID != id {
		bad = append(bad, provision.FieldError{Field: "store_id", Detail: "must be the one in the path, or absent"})
	}
	if r.Action != provision.OpDelete {
		bad = append(bad, provision.FieldError{Field: "action", Detail: `must be "delete" here, or absent`})
	}
	if asked.given && asked.retain != r.RetainData {
		bad = append(bad, provision.FieldError{Field: retainData, Detail: "the body and the query contradict each other"})
	}
	return s.accept(c, provision.Request{StoreID: id, Action: provision.OpDelete, RetainData: r.RetainData}, bad)
}

// accept validates r, hands it over and answers. What decode found wrong comes first, and once per field.
func (s *server) accept(c echo.Context, r provision.Request, bad []provision.FieldError) error {
	c.Set(entryKey, entry{storeID: r.StoreID})
	if bad = join(bad, r.Validate(s.Policy)); len(bad) > 0 {
		return invalidFields(bad)
	}
	// A caller that hangs up now must not leave a record whose task was not enqueued.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), s.Timeout)
	defer cancel()
	a, err := s.Acceptor.Accept(ctx, r)
	if err != nil {
		return perhaps(err)
	}
	c.Set(entryKey, entry{r.StoreID, a.Generation, a.TaskID, a.Joined})
	return c.JSON(http.StatusAccepted, accepted{true, true, r.StoreID, r.Action, a.Generation, a.TaskID})
}

// perhaps tells the caller of a 503 what it means here: the answer of the record may have been lost, not the request.
func perhaps(err error) error {
	p := asProblem(err)
	if p.kind == unavailable {
		p.Detail += "; what was recorded all the same is carried out, and the equal request repeated joins it"
	}
	return p
}

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

// pathID is the store_id of the path.
func pathID(c echo.Context) string { return pathParam(c, "store_id") }

// pathParam is a part of the path. Echo leaves escapes in it only where it matched the path as it was sent.
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

// wish is what the query says of the data.
type wish struct{ given, retain bool }

// retainInQuery reads retain_data from the query. Whatever is not plainly true or false is refused: who meant to keep the
// data must not lose it.
func retainInQuery(c echo.Context) (wish, error) {
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return wish{}, malformed.problem("the query cannot be read")
	}
	values := query[retainData]
	if len(values) == 0 {
		return wish{}, nil
	}
	if len(values) > 1 || (values[0] != "true" && values[0] != "false") {
		return wish{}, invalidFields([]provision.FieldError{{Field: retainData, Detail: "must be true or false, once"}})
	}
	return wish{given: true, retain: values[0] == "true"}, nil
}
