package record

import (
	"strconv"

	"pgregory.net/rapid"

	"orchestrator/provision"
	"orchestrator/worker/queue"
)

// maintainable reports whether nothing but maintenance is to be done for a generation.
func (s *modelStore) maintainable(g *generation) bool {
	return g == s.newest() && g.Op == provision.OpProvision && up(g.status) && !s.deleting()
}

// maintain takes the lease of a store for maintenance.
func (m *machine) maintain(t *rapid.T) {
	g := pick(t, "generation", m.stores[pick(t, "store", propertyStores)].gens)
	s, token := m.stores[g.StoreID], "maintenance-"+g.ID()
	expected := Acquired
	switch {
	case !s.maintainable(g):
		expected = AcquireSuperseded
	case s.lease != "" && s.lease != token:
		expected = AcquireHeld
	}
	result, run, err := m.r.Runs.AcquireMaintenance(m.ctx, maintenanceOf(g.Task), token, leaseTTL)
	ok(t, err)
	want(t, "maintaining "+g.ID(), result, expected)
	if result == Acquired {
		s.lease = token
		m.maintains = append(m.maintains, activeRun{g, run})
	}
}

// audit renews the lease of some maintenance, records a finding, and lets go.
func (m *machine) audit(t *rapid.T) {
	p := pick(t, "maintenance", m.maintains)
	s, expected := m.stores[p.gen.StoreID], Renewed
	switch {
	case s.lease != p.run.Token:
		expected = RenewLost
	case !s.maintainable(p.gen):
		expected = RenewSuperseded
	}
	got, err := m.r.Runs.Renew(m.ctx, p.run, leaseTTL)
	ok(t, err)
	want(t, "renewal of maintenance", got, expected)
	outdated := rapid.Bool().Draw(t, "outdated")
	recorded, err := m.r.Runs.RecordAudit(m.ctx, p.run, provision.Finding{Outdated: outdated})
	ok(t, err)
	want(t, "the audit is on record", recorded, expected == Renewed)
	if recorded {
		page, err := m.r.Fleet.Findings(m.ctx, provision.FindingOutdated, "", 10)
		ok(t, err)
		listed := false
		for _, state := range page.Stores {
			listed = listed || state.StoreID == p.gen.StoreID
		}
		want(t, "listed as outdated", listed, outdated)
	}
	if rapid.Bool().Draw(t, "release") {
		m.releaseRun(t, p, RunEnd{})
	}
}

// backUp ends a backup under the lease of some maintenance: it is on record where that may still go on, and nowhere else.
func (m *machine) backUp(t *rapid.T) {
	p := pick(t, "maintenance", m.maintains)
	s := m.stores[p.gen.StoreID]
	expected := s.lease == p.run.Token && s.maintainable(p.gen)
	task := queue.MaintenanceTask{Kind: queue.Backup, StoreID: p.gen.StoreID, Generation: p.gen.Generation, Cluster: p.gen.Cluster}
	end := BackupEnd{Made: aBackup(strconv.Itoa(rapid.IntRange(1, 1000).Draw(t, "run")), 0)}
	recorded, err := m.r.Backups.End(m.ctx, task, p.run.Token, end)
	ok(t, err)
	want(t, "the backup is on record", recorded, expected)
	if recorded {
		states, err := m.r.Requests.states(m.ctx, []string{p.gen.StoreID}, 0)
		ok(t, err)
		want(t, "the last backup", states[0].Backup.Run, end.Made.Run)
	}
}

// expireLeases lets the leases of a store run out.
func (m *machine) expireLeases(t *rapid.T) {
	id := pick(t, "store", propertyStores)
	ok(t, m.b.redis.Del(m.ctx, keyRunLease(id), keyCallbackLease(id)).Err())
	m.stores[id].lease, m.stores[id].claim = "", ""
}
