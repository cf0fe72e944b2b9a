package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"orchestrator/provision"
)

// Fleet asks for what is about many stores at once. Its errors are as those of [Client].
type Fleet struct{ *Client }

// Clusters returns the installation's clusters.
func (c Fleet) Clusters(ctx context.Context) (provision.ClusterStates, error) {
	var s provision.ClusterStates
	return s, c.do(ctx, http.MethodGet, "/clusters", &s)
}

// SetLost gives a cluster up for good, or takes it back. It returns the installation's clusters.
func (c Fleet) SetLost(ctx context.Context, name string, lost bool) (provision.ClusterStates, error) {
	verb := "/found"
	if lost {
		verb = "/lost"
	}
	var s provision.ClusterStates
	return s, c.do(ctx, http.MethodPost, "/clusters/"+url.PathEscape(name)+verb, &s)
}

// Summary counts the stores, and names those that are under way the longest.
func (c Fleet) Summary(ctx context.Context) (provision.Summary, error) {
	var s provision.Summary
	return s, c.do(ctx, http.MethodGet, "/summary", &s)
}

// Findings returns a page of the stores of which an audit has found this, the latest first.
func (c Fleet) Findings(ctx context.Context, kind provision.FindingKind, cursor string, limit int) (provision.Page, error) {
	var p provision.Page
	return p, c.do(ctx, http.MethodGet, "/findings?kind="+url.QueryEscape(string(kind))+"&"+page(cursor, limit), &p)
}

// Quota returns how many stores a creator has and may have.
func (c Fleet) Quota(ctx context.Context, creator string) (provision.Quota, error) {
	var q provision.Quota
	return q, c.do(ctx, http.MethodGet, "/creators/"+url.PathEscape(creator), &q)
}

// SetQuota sets how many stores a creator may have; below 0 it is what holds for all.
func (c Fleet) SetQuota(ctx context.Context, creator string, most int) (provision.Quota, error) {
	var q provision.Quota
	body := []byte("{}")
	if most >= 0 {
		body = fmt.Appendf(nil, `{"most":%d}`, most)
	}
	return q, c.doIf(ctx, 0, http.MethodPost, "/creators/"+url.PathEscape(creator)+"/quota", body, &q)
}

// Rollout returns the newest rollout. Where there was none the error is a [Problem] with status 404.
func (c Fleet) Rollout(ctx context.Context) (provision.Rollout, error) {
	var o provision.Rollout
	return o, c.do(ctx, http.MethodGet, "/rollout", &o)
}

// StartRollout begins a rollout. What the plan leaves out has the defaults of ingest.
func (c Fleet) StartRollout(ctx context.Context, plan map[string]any) (provision.Rollout, error) {
	var o provision.Rollout
	body, err := json.Marshal(plan)
	if err != nil {
		return o, err
	}
	return o, c.doIf(ctx, 0, http.MethodPost, "/rollout", body, &o)
}

// ChangeRollout pauses, resumes or aborts the rollout.
func (c Fleet) ChangeRollout(ctx context.Context, change provision.RolloutChange) (provision.Rollout, error) {
	var o provision.Rollout
	return o, c.do(ctx, http.MethodPost, "/rollout/"+string(change), &o)
}

// Holds returns what waits for one cause to end.
func (c Fleet) Holds(ctx context.Context) (provision.Holds, error) {
	var h provision.Holds
	return h, c.do(ctx, http.MethodGet, "/holds", &h)
}

// ReleaseHold lets the stores of an engine on a cluster go on, and returns what still waits. Where none waits the error is a [Problem] with status 404.
func (c Fleet) ReleaseHold(ctx context.Context, cluster, engine string) (provision.Holds, error) {
	var h provision.Holds
	return h, c.do(ctx, http.MethodPost, "/holds/"+url.PathEscape(cluster)+"/"+url.PathEscape(engine)+"/release", &h)
}
