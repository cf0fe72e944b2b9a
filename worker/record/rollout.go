package record

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"orchestrator/provision"
	"orchestrator/worker/queue"
	"orchestrator/worker/redisconn"
)

// Rollouts moves the stores of an engine to another edition, in waves: one rollout at a time. Which stores it has come to is in Redis alone, so that any
// worker goes on with it.
type Rollouts struct{ client }

// StartRollout begins a rollout. The error has code conflict where one is under way.
func (r *Rollouts) StartRollout(ctx context.Context, p provision.RolloutPlan) error {
	answer, err := r.runScript(ctx, startRolloutScript, []string{keyRollout}, rand.Text(), p.Engine, strings.Join(p.Waves, " "), strings.Join(p.Canaries, " "),
		p.Parallel, p.MaxFailures, int64(p.SoakSeconds)*1000, flag(p.WithoutBackup), provision.OriginOf(ctx).By)
	if err == nil && answer[0] == "active" {
		err = provision.Errorf(provision.CodeConflict, "a rollout of engine %s is under way; abort it first, or wait for its end", answer[1])
	}
	return err
}

// ChangeRollout pauses, resumes or aborts the rollout. The error has code conflict where that cannot be done; found is false where there was none.
func (r *Rollouts) ChangeRollout(ctx context.Context, change provision.RolloutChange) (found bool, err error) {
	by := provision.OriginOf(ctx).By
	reason := string(change) + "d by " + by
	switch {
	case change == provision.RolloutAbort:
		reason = "aborted by " + by
	case by == "":
		reason = "paused by an operator"
	}
	answer, err := r.runScript(ctx, changeRolloutScript, []string{keyRollout}, string(change), reason)
	switch {
	case err != nil:
		return false, err
	case answer[0] == "none":
		return false, nil
	case answer[0] != "changed":
		return true, provision.Errorf(provision.CodeConflict, "the rollout is %s, so that it cannot %s", answer[0], change)
	}
	return true, nil
}

// Step moves the rollout on, and returns the tasks of the stores that are to be upgraded now. Nothing is lost if they are not enqueued: the next step
// returns them again.
func (r *Rollouts) Step(ctx context.Context) ([]queue.MaintenanceTask, error) {
	const look = 1000
	words, err := r.runScript(ctx, stepRolloutScript, []string{keyRollout, keyStores}, look)
	if err != nil {
		return nil, err
	}
	var tasks []queue.MaintenanceTask
	for _, t := range tasksOf(provision.OpProvision, words) {
		tasks = append(tasks, queue.MaintenanceTask{Kind: queue.Upgrade, StoreID: t.StoreID, Generation: t.Generation, Cluster: t.Cluster})
	}
	return tasks, nil
}

// upgradeBackupUsed is for how long a backup that was made for an upgrade is used by the tries of it that follow. The shop sells on meanwhile.
const upgradeBackupUsed = time.Hour

// BeginUpgrade reports whether a store is to be upgraded now by a worker of this edition. why says why not. backupsAtOnce is how many backups run at a time in the
// installation, of a store that is to be backed up first: its backup counts as one that runs, until [Rollouts.EndUpgradeBackup]. 0: none is to be made.
func (r *Rollouts) BeginUpgrade(ctx context.Context, run Run, edition string, backupsAtOnce int) (why string, terms provision.UpgradeTerms, err error) {
	answer, err := r.runScript(ctx, beginUpgradeScript, []string{keyRollout, keyRollout + ":doing", keyRollout + ":backups", keyBackupsRunning},
		run.Store.StoreID, run.Cluster, edition, run.Store.Generation, backupsAtOnce, backupGivenUp.Milliseconds(), upgradeBackupUsed.Milliseconds())
	if err != nil {
		return "", terms, err
	}
	switch answer[0] {
	case "not-asked":
		return "the rollout does not go on, or has not come to this store", terms, nil
	case "other-edition":
		return "this worker would install another edition than the rollout's " + answer[1], terms, nil
	case "backups-run":
		return fmt.Sprintf("it is to be backed up first, and %d backups run already", backupsAtOnce), terms, nil
	}
	terms.WithoutBackup = answer[1] == "1"
	if made := (provision.Backup{}); answer[2] != "" && json.Unmarshal([]byte(answer[2]), &made) == nil {
		terms.Backup = &made
	}
	return "", terms, nil
}

// EndUpgradeBackup ends the backup that comes before a store's upgrade, whether one was made or not (nil), and records the one that was made as the store's newest, unless
// the lease was lost or a newer request has superseded it.
func (r *Rollouts) EndUpgradeBackup(ctx context.Context, run Run, made *provision.Backup) (recorded bool, err error) {
	text, at, err := backupText(made)
	if err != nil {
		return false, err
	}
	id := run.Store.StoreID
	answer, err := endUpgradeBackupScript.Run(ctx, r.redis, []string{keyStore(id), keyRunLease(id), keyRollout + ":backups", keyBackupsRunning},
		id, run.Store.Generation, run.Token, text, at, provision.MaxBackups).Text()
	return answer == "recorded", redisconn.WrapError(err)
}

// EndUpgrade records how the upgrade of a store has ended.
func (r *Rollouts) EndUpgrade(ctx context.Context, run Run, u provision.Upgraded) (recorded bool, err error) {
	id := run.Store.StoreID
	answer, err := endUpgradeScript.Run(ctx, r.redis, []string{keyStore(id), keyRunLease(id), keyRollout}, id, run.Store.Generation, run.Token,
		string(u.Result), u.Edition, flag(u.Outdated), u.Error).Text()
	return answer == "recorded", redisconn.WrapError(err)
}

// shownErrors is of how many stores that have failed the cause is shown.
const shownErrors = 50

// Rollout returns the newest rollout. ok is false where there was none.
func (r *Rollouts) Rollout(ctx context.Context) (o provision.Rollout, ok bool, err error) {
	var kept *redis.MapStringStringCmd
	var errors *redis.ScanCmd
	counts := map[string]*redis.IntCmd{}
	_, err = r.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		kept, errors = p.HGetAll(ctx, keyRollout), p.HScan(ctx, keyRollout+":errors", 0, "", shownErrors)
		for _, name := range []string{"todo", "doing"} {
			counts[name] = p.ZCard(ctx, keyRollout+":"+name)
		}
		for _, name := range []string{"done", "failed", "skipped"} {
			counts[name] = p.SCard(ctx, keyRollout+":"+name)
		}
		return nil
	})
	f := kept.Val()
	if err != nil || len(f) == 0 {
		return o, false, redisconn.WrapError(err)
	}
	whole := func(field string) int64 { n, _ := strconv.ParseInt(f[field], 10, 64); return n }
	o.RolloutPlan = provision.RolloutPlan{Engine: f["engine"], Waves: strings.Fields(f["waves"]), Canaries: strings.Fields(f["canaries"]), Parallel: int(whole("parallel")),
		MaxFailures: int(whole("max_failures")), SoakSeconds: int(whole("soak_ms") / 1000), WithoutBackup: f["without_backup"] == "1"}
	o.State, o.Reason, o.Wave, o.Total, o.RequestedBy = provision.RolloutState(f["state"]), f["reason"], int(whole("wave")), whole("total"), f["requested_by"]
	o.StartedAt, o.EndedAt, o.SoakUntil = millis(whole("started_at")).time(), millis(whole("ended_at")).time(), millis(whole("soak_until")).time()
	o.Todo, o.Doing, o.Done, o.Failed, o.Skipped = counts["todo"].Val(), counts["doing"].Val(), counts["done"].Val(), counts["failed"].Val(), counts["skipped"].Val()
	o.Editions, o.Errors = map[string]string{}, map[string]string{}
	for field, edition := range f {
		if cluster, found := strings.CutPrefix(field, "edition:"); found {
			o.Editions[cluster] = edition
		}
	}
	pairs, _ := errors.Val()
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Errors[pairs[i]] = pairs[i+1]
	}
	return o, true, nil
}
