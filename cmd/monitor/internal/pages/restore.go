package pages

import (
	"slices"

	"orchestrator/provision"
)

// ActionRestore makes a store what it was when a backup of it began. Explanations do not name it.
const ActionRestore provision.Action = "restore"

// backupsOf are the backups of a store that are known, the newest first.
func backupsOf(s provision.State) []provision.Backup {
	if len(s.Backups) == 0 && s.Backup != nil {
		return []provision.Backup{*s.Backup}
	}
	return s.Backups
}

// withRestore adds the restore to what may be asked of a store, before what is about deletes, where there is something to restore and a shop that could take it.
func withRestore(actions []provision.Action, s provision.State) []provision.Action {
	if ended := s.Status == provision.StatusReady || s.Status == provision.StatusFailed; !ended || s.Suspended || len(backupsOf(s)) == 0 {
		return actions
	}
	at := slices.IndexFunc(actions, func(a provision.Action) bool { return a == provision.ActionProtect || a == provision.ActionUnprotect })
	if at < 0 {
		at = len(actions)
	}
	return slices.Insert(slices.Clone(actions), at, ActionRestore)
}
