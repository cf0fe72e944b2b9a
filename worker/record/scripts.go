package record

import (
	"context"
	"embed"

	"github.com/redis/go-redis/v9"

	"orchestrator/worker/redisconn"
)

//go:embed scripts/*.lua
var scripts embed.FS

var (
	acceptScript             = script("accept")
	cancelScript             = script("cancel")
	releaseHoldScript        = script("release_hold")
	protectScript            = script("protect")
	acquireRunScript         = script("acquire_run")
	acquireMaintenanceScript = script("acquire_maintenance")
	recordAuditScript        = script("record_audit")
	nextBackupsScript        = script("next_backups")
	endBackupScript          = script("end_backup")
	requestBackupScript      = script("request_backup")
	nextAuditsScript         = script("next_audits")
	indexStoresScript        = script("index_stores")
	dueGravesScript          = script("due_graves")
	dueHealsScript           = script("due_heals")
	startRolloutScript       = script("start_rollout")
	changeRolloutScript      = script("change_rollout")
	stepRolloutScript        = script("step_rollout")
	beginUpgradeScript       = script("begin_upgrade")
	endUpgradeScript         = script("end_upgrade")
	endUpgradeBackupScript   = script("end_upgrade_backup")
	noteUnwellScript         = script("note_unwell")
	renewRunScript           = script("renew_run")
	releaseRunScript         = script("release_run")
	recordOutcomeScript      = script("record_outcome")
	creatorSlotScript        = script("creator_slot")
	claimCallbackScript      = script("claim_callback")
	pendingCallbacksScript   = script("pending_callbacks")
	closeCallbackScript      = script("close_callback")
	replayDeadLetterScript   = script("replay_dead_letter")
	takeLeaseScript          = script("take_lease")
	releaseLeaseScript       = script("release_lease")
	foldStepScript           = script("fold_step")
	dropExpiredScript        = script("drop_expired")
	dueStoresScript          = script("due_stores")
	restoreScript            = script("restore")
	loseClusterScript        = script("lose_cluster")
	endLostStoresScript      = script("end_lost_stores")
)

// libraries are sent before each script.
var libraries = read("lib_record") + read("lib_placement") + read("lib_creator_queue") + read("lib_callbacks") + read("lib_fleet") + read("lib_orphans") + read("lib_holds") + read("lib_rollout") + read("lib_heal") + read("lib_graves") +
	read("lib_lost_clusters") + read("lib_end_lost_store") + read("lib_backups")

func script(name string) *redis.Script { return redis.NewScript(libraries + read(name)) }

func read(name string) string {
	text, err := scripts.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err) // embedded: cannot be missing in a binary that was tested
	}
	return string(text)
}

// runScript runs a script that answers a list of texts. A nil or an unexpected answer is a defect and comes as an error.
func (c client) runScript(ctx context.Context, s *redis.Script, keys []string, args ...any) ([]string, error) {
	words, err := s.Run(ctx, c.redis, keys, args...).StringSlice()
	return words, redisconn.WrapError(err)
}
