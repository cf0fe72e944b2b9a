package ingest

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"orchestrator/provision"
)

// actions are the names in the audit log of what the routes change.
var actions = map[string]string{
	"POST /":                           "store.submit",
	"POST /orchestrate":                "store.submit",
	"DELETE /stores/:store_id":         "store.delete",
	"POST /stores/:store_id/retry":     "store.retry",
	"POST /stores/:store_id/suspend":   "store.suspend",
	"POST /stores/:store_id/resume":    "store.resume",
	"POST /stores/:store_id/rotate":    "store.rotate",
	"POST /stores/:store_id/restore":   "store.restore",
	"POST /stores/:store_id/backup":    "store.backup",
	"POST /stores/:store_id/protect":   "store.protect",
	"POST /stores/:store_id/unprotect": "store.unprotect",
	"POST /stores/:store_id/cancel":    "store.cancel",
	"POST /clusters/:name/lost":        "cluster.lose",
	"POST /clusters/:name/found":       "cluster.find",
	"POST /dead-letters/:id/replay":    "dead-letter.replay",

	"POST /creators/:creator_id/quota": "quota.set",
	"POST /rollout":                    "rollout.start",
	"POST /rollout/pause":              "rollout.pause",
	"POST /rollout/resume":             "rollout.resume",
	"POST /rollout/abort":              "rollout.abort",

	"POST /holds/:cluster/:engine/release": "hold.release",
}

// audit logs what a request changed, and each one that was refused for its token.
func (s *server) audit(c echo.Context) {
	status, action := c.Response().Status, actions[c.Request().Method+" "+c.Path()]
	refused := status == http.StatusUnauthorized || status == http.StatusForbidden
	if action == "" && !refused {
		return
	}
	if action == "" {
		action = "read"
	}
	provision.AuditEvent{
		Actor: callerOf(c), Action: action, Target: target(c), Accepted: status < 300, Status: status,
		RequestID: c.Response().Header().Get(echo.HeaderXRequestID), Peer: c.RealIP(),
	}.Log(c.Request().Context(), s.Log)
}

// target is the store, cluster or dead letter of the request, as far as its text is safe in a log.
func target(c echo.Context) string {
	if info, ok := c.Get(requestInfoKey).(requestInfo); ok && provision.CheckStoreID(info.storeID) == "" {
		return info.storeID
	}
	if hold := pathParam(c, "cluster") + "/" + pathParam(c, "engine"); saneID.MatchString(pathParam(c, "cluster")) && saneID.MatchString(pathParam(c, "engine")) {
		return hold
	}
	for _, name := range []string{"name", "store_id", "creator_id"} {
		if text := pathParam(c, name); saneID.MatchString(text) {
			return text
		}
	}
	return route(c)
}
