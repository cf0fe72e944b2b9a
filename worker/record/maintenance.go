package record

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// Maintenance is what the clock or an operator asks of a store, and no backend: it makes no generation, has no outcome, and is told to no one. It
// takes the lease of the store, as a run does, while the newest request is a provision that has succeeded; a newer request ends it at its next renewal.

// opMaintain is the operation of a [Run] that is maintenance.
const opMaintain provision.Op = "maintain"

// AcquireMaintenance takes the store's lease for maintenance. The result is [Acquired], or [AcquireHeld], [AcquireSuperseded] or
// [AcquireOtherCluster].
func (r *Runs) AcquireMaintenance(ctx context.Context, t queue.MaintenanceTask, token string, lease time.Duration) (AcquireResult, Run, error) {
	answer, err := r.runScript(ctx, acquireMaintenanceScript, []string{keyStore(t.StoreID), keyRunLease(t.StoreID)},
		t.Generation, token, lease.Milliseconds(), t.Cluster)
	if err != nil {
		return "", Run{}, err
	}
	if result := AcquireResult(answer[0]); result != Acquired {
		return result, Run{}, nil
	}
	run := Run{Op: opMaintain, Cluster: t.Cluster, Token: token}
	if err := json.Unmarshal([]byte(answer[1]), &run.Store.Request); err != nil {
		return "", Run{}, fmt.Errorf("the record of store %s does not parse: %w", t.StoreID, err)
	}
	run.Store.Generation, run.Store.Cluster = t.Generation, inRequest(t.Cluster)
	run.Store.Suspended, run.Store.Protected = answer[2] == "1", answer[3] == "1"
	_ = json.Unmarshal([]byte(answer[4]), &run.Backup)
	return Acquired, run, nil
}

// RecordAudit records what an audit has found, unless its lease was lost or a newer request has superseded it.
func (r *Runs) RecordAudit(ctx context.Context, run Run, found provision.Finding) (recorded bool, err error) {
	drift, err := driftText(found.Drift)
	if err != nil {
		return false, err
	}
	id := run.Store.StoreID
	answer, err := recordAuditScript.Run(ctx, r.redis, []string{keyStore(id), keyRunLease(id)},
		id, run.Store.Generation, run.Token, found.Edition, flag(found.Outdated), drift).Text()
	return answer == "recorded", redisconn.WrapError(err)
}

// maxDrift is how many differences are kept of a store.
const maxDrift = 20

func driftText(drift []provision.Difference) (string, error) {
	if len(drift) == 0 {
		return "", nil
	}
	text, err := json.Marshal(drift[:min(len(drift), maxDrift)])
	return string(text), err
}

// NextAudits moves a pass over all stores on by n stores, and returns those of them that may be audited. A pass begins every period.
func (r *Fleet) NextAudits(ctx context.Context, every time.Duration, n int) ([]queue.MaintenanceTask, error) {
	words, err := r.runScript(ctx, nextAuditsScript, []string{keyAuditPass, keyStores}, every.Milliseconds(), n)
	if err != nil {
		return nil, err
	}
	var tasks []queue.MaintenanceTask
	for _, t := range tasksOf(provision.OpProvision, words) {
		tasks = append(tasks, queue.MaintenanceTask{Kind: queue.Audit, StoreID: t.StoreID, Generation: t.Generation, Cluster: t.Cluster})
	}
	return tasks, nil
}

// BackupPolicy says how often stores are backed up, or how often a backup of each is tested.
type BackupPolicy struct {
	Kind      queue.MaintenanceKind // [queue.Backup] or [queue.RestoreTest]
	Every     time.Duration         // between two of a store; 0: none is made by the clock
	OnRequest bool                  // backups that are asked for are made
	AtOnce    int                   // of the installation
}

// Any reports whether any are made.
func (p BackupPolicy) Any() bool { return p.Every > 0 || p.OnRequest }

// giveUp is after how long one that was handed out and of which nothing was heard does not count as running any more.
func (p BackupPolicy) giveUp() time.Duration {
	if p.Kind == queue.RestoreTest {
		return provision.RestoreTestTimeout + time.Hour
	}
	return backupGivenUp
}

// backupGivenUp is that of a backup.
const backupGivenUp = provision.BackupTimeout + time.Hour

// scheduleKeys are those of the schedule of a kind: when stores are due, which were handed out, and how far the pass over all stores is.
func scheduleKeys(kind queue.MaintenanceKind) (due, running, pass string) {
	if kind == queue.RestoreTest {
		return keyRestoreTests, keyRestoreTestsRunning, keyRestoreTestPass
	}
	return keyBackups, keyBackupsRunning, keyBackupPass
}

// backupPassStores is how many stores a call looks at to put them into the schedule.
const backupPassStores = 500

// Next returns the stores that are to be backed up now, or whose last good backup is to be tested, so that no more than the policy says run at a time. Each of them has to end
// by [Backups.End]. A store comes into the schedule some minutes after it was READY, or had a backup, at its own place in the period. Backups that were asked for come
// first.
func (r *Backups) Next(ctx context.Context, p BackupPolicy) ([]queue.MaintenanceTask, error) {
	due, running, pass := scheduleKeys(p.Kind)
	keys := []string{due, running, pass, keyStores}
	if p.Kind == queue.Backup {
		keys = append(keys, keyBackupRequests, keyBackupsScheduled)
	}
	words, err := r.runScript(ctx, nextBackupsScript, keys,
		p.Every.Milliseconds(), p.AtOnce, p.giveUp().Milliseconds(), backupPassStores, string(p.Kind))
	if err != nil {
		return nil, err
	}
	var tasks []queue.MaintenanceTask
	for _, t := range tasksOf(provision.OpProvision, words) {
		tasks = append(tasks, queue.MaintenanceTask{Kind: p.Kind, StoreID: t.StoreID, Generation: t.Generation, Cluster: t.Cluster})
	}
	return tasks, nil
}

// RequestBackup asks for a backup of a store that begins from now on, before those that the clock comes to, and returns since when one is asked for: a request that is repeated
// before the backup begins is the same one. It is over once one is made that began after that, or has failed, or once the store is not READY in the end; a backup that
// something else comes before is made later. It makes no generation. If generation is not 0, it has to be the newest; an error of code superseded says that it is not.
//
// found is false where there is no record. The error has code conflict for a store that is not READY, and where no worker makes backups.
func (r *Backups) RequestBackup(ctx context.Context, storeID string, generation int64) (at time.Time, found bool, err error) {
	newest := ""
	if generation != 0 {
		newest = strconv.FormatInt(generation, 10)
	}
	answer, err := r.runScript(ctx, requestBackupScript, []string{keyStore(storeID), keyBackupRequests, keyBackupsRunning, keyBackupsScheduled}, storeID, newest)
	switch {
	case err != nil:
		return at, false, err
	case answer[0] == "no-record":
		return at, false, r.complete(ctx)
	case answer[0] == "overtaken":
		return at, true, errOvertaken(storeID, answer[1])
	case answer[0] != "asked":
		return at, true, provision.Errorf(provision.CodeConflict, noBackupNow[answer[0]], storeID)
	}
	return millis(number(answer[1])).time(), true, nil
}

// noBackupNow says why a store is not backed up.
var noBackupNow = map[string]string{
	"gone":        "store %s is deleted, so there is nothing to back up",
	"deleting":    "store %s is being deleted, and is not backed up any more",
	"suspended":   "store %s is suspended, so that its database does not run; resume it first",
	"failed":      "store %s has failed, and only a store that is READY is backed up; mend it first, such as by a retry",
	"busy":        "store %s has a request that has not ended yet; ask again once it is READY",
	"unscheduled": "store %s is not backed up, since no worker of this installation makes backups: none that has ORCH_BACKUP_GATE and slots for maintenance was there in the last ten minutes",
}

// BackupEnd is how a backup has ended, or the test of one: made or passed, or failed with a code, or neither, since something else came first.
type BackupEnd struct {
	Made   *provision.Backup
	Passed *provision.RestoreTest
	Code   provision.Code
	Error  string        // the public text
	Retry  time.Duration // until the next try of one that has failed
}

// End ends what [Backups.Next] has returned, and records how, unless its lease was lost or a newer request has superseded it.
func (r *Backups) End(ctx context.Context, t queue.MaintenanceTask, token string, end BackupEnd) (recorded bool, err error) {
	made, at, err := backupText(end.Made)
	if t.Kind == queue.RestoreTest {
		made, at, err = restoreTestText(end.Passed)
	}
	if err != nil {
		return false, err
	}
	due, running, _ := scheduleKeys(t.Kind)
	answer, err := endBackupScript.Run(ctx, r.redis, []string{keyStore(t.StoreID), keyRunLease(t.StoreID), due, running},
		t.StoreID, t.Generation, token, made, at, string(end.Code), end.Error, end.Retry.Milliseconds(), provision.MaxBackups, string(t.Kind)).Text()
	return answer == "recorded", redisconn.WrapError(err)
}

// backupText is a backup as the record keeps it, and when it began in ms.
func backupText(b *provision.Backup) (text, at string, err error) {
	if b == nil {
		return "", "0", nil
	}
	return dated(b, b.At)
}

// restoreTestText is a restore test as the record keeps it, and when it had passed in ms.
func restoreTestText(t *provision.RestoreTest) (text, at string, err error) {
	if t == nil {
		return "", "0", nil
	}
	return dated(t, t.At)
}

func dated(v any, when time.Time) (text, at string, err error) {
	data, err := json.Marshal(v)
	return string(data), strconv.FormatInt(when.UnixMilli(), 10), err
}

// backupsOf are backups as they are kept. One that does not parse is the zero value, so that the others keep their places.
func backupsOf(kept []string) []provision.Backup {
	if len(kept) == 0 {
		return nil
	}
	backups := make([]provision.Backup, len(kept))
	for i, text := range kept {
		_ = json.Unmarshal([]byte(text), &backups[i])
	}
	return backups
}

// restoreOf is a restore as the record keeps it: the backup, and the generation that has asked for it.
func restoreOf(backup string, generation int64) *provision.Restore {
	r := &provision.Restore{Generation: generation}
	if json.Unmarshal([]byte(backup), &r.Backup) != nil || generation == 0 {
		return nil
	}
	return r
}

// restoreText is the opposite of restoreOf.
func restoreText(r *provision.Restore) (backup, generation string, err error) {
	if r == nil {
		return "", "0", nil
	}
	backup, _, err = backupText(&r.Backup)
	return backup, generationText(r.Generation), err
}

// BackupAge is how old the backups of an engine's stores are, or their tests.
type BackupAge struct {
	Stores  int64     // that are to be backed up, or tested
	Oldest  time.Time // when the oldest last good backup began, or the oldest last test had passed, or since when there is none; zero where there are no stores
	Overdue int64     // whose last one is older than asked for
}

// Ages returns how old the backups of the stores of each engine are, or their tests, and how many of them are older than this.
func (r *Backups) Ages(ctx context.Context, kind queue.MaintenanceKind, engines []string, than time.Duration) (map[string]BackupAge, error) {
	index := keyBackedUp
	if kind == queue.RestoreTest {
		index = keyRestoreTested
	}
	p, limit := r.redis.Pipeline(), strconv.FormatInt(time.Now().Add(-than).UnixMilli(), 10)
	stores, overdue, oldest := map[string]*redis.IntCmd{}, map[string]*redis.IntCmd{}, map[string]*redis.ZSliceCmd{}
	for _, engine := range engines {
		key := index + engine
		stores[engine], overdue[engine], oldest[engine] = p.ZCard(ctx, key), p.ZCount(ctx, key, "-inf", "("+limit), p.ZRangeWithScores(ctx, key, 0, 0)
	}
	if _, err := p.Exec(ctx); err != nil {
		return nil, redisconn.WrapError(err)
	}
	ages := map[string]BackupAge{}
	for _, engine := range engines {
		age := BackupAge{Stores: stores[engine].Val(), Overdue: overdue[engine].Val()}
		for _, z := range oldest[engine].Val() {
			age.Oldest = time.UnixMilli(int64(z.Score))
		}
		ages[engine] = age
	}
	return ages, nil
}

// Findings returns up to limit stores of which an audit has found this, the latest first, without their steps. cursor is Next of the page before, or
// "". An error of code invalid means that no page returned this cursor.
func (r *Fleet) Findings(ctx context.Context, kind provision.FindingKind, cursor string, limit int) (provision.Page, error) {
	rows, next, err := r.latest(ctx, keyFindings+string(kind), cursor, limit)
	if err != nil {
		return provision.Page{}, err
	}
	stores, err := r.states(ctx, idsOf(rows), 0)
	return provision.Page{Stores: stores, Next: next}, err
}

// CountFindings returns of how many stores an audit has found each kind.
func (r *Fleet) CountFindings(ctx context.Context) (map[provision.FindingKind]int64, error) {
	return countKinds(ctx, r.client, keyFindings, provision.FindingKinds)
}

// NoteUnwell records which stores of a cluster are unwell, by namespace, and why; those that are not are taken off the list. It pauses the rollout where
// that has upgraded one of them, and returns how many those are.
func (r *Fleet) NoteUnwell(ctx context.Context, cluster string, why map[string]string) (ofRollout int, err error) {
	names := slices.Sorted(maps.Keys(why))
	args := []any{}
	if len(names) > 0 {
		ids, err := r.redis.HMGet(ctx, keyNamespaces, names...).Result()
		if err != nil {
			return 0, redisconn.WrapError(err)
		}
		for i, id := range ids {
			if id, known := id.(string); known {
				args = append(args, id, why[names[i]])
			}
		}
	}
	ofRollout, err = noteUnwellScript.Run(ctx, r.redis, []string{keyUnwellStores(cluster), keyRollout}, args...).Int()
	return ofRollout, redisconn.WrapError(err)
}

// Failed is a store that has failed, and may have become well since.
type Failed struct {
	Task      queue.Task
	Namespace string
}

// DueHeals returns up to n stores of a cluster that have failed within this time, for a cause that may go away by itself, and are to be looked at now. They are due
// again after two minutes, and ever more rarely.
func (r *Fleet) DueHeals(ctx context.Context, cluster string, within time.Duration, n int) ([]Failed, error) {
	words, err := r.runScript(ctx, dueHealsScript, []string{keyHealing(cluster)}, cluster, n, within.Milliseconds())
	if err != nil {
		return nil, err
	}
	var failed []Failed
	for ; len(words) >= 3; words = words[3:] {
		task := queue.Task{Op: provision.OpProvision, StoreID: words[0], Generation: number(words[1]), Cluster: cluster}
		failed = append(failed, Failed{Task: task, Namespace: words[2]})
	}
	return failed, nil
}

// Grave is a store whose grace is over.
type Grave struct {
	StoreID    string
	Generation int64 // the newest: a newer request keeps the store
	RetainData bool
}

// DueGraves returns up to n stores that are to be deleted now. They are due again after a minute, until their delete is accepted.
func (r *Fleet) DueGraves(ctx context.Context, n int) (due []Grave, err error) {
	words, err := r.runScript(ctx, dueGravesScript, []string{keyGraves}, n, time.Minute.Milliseconds())
	for ; err == nil && len(words) >= 3; words = words[3:] {
		due = append(due, Grave{words[0], number(words[1]), words[2] == "1"})
	}
	return due, err
}

func deleteAt(g *provision.Grave) string {
	if g == nil {
		return ""
	}
	return strconv.FormatInt(g.At.UnixMilli(), 10)
}

// quietText is how the record keeps whether the backend knows nothing of a grace.
func quietText(g provision.Grave) string {
	switch {
	case g.Quiet && g.Suspended:
		return "2"
	case g.Quiet:
		return "1"
	}
	return "0"
}
