package provision

// RestoreRequest asks for a store to be what it was when a backup of it began.
type RestoreRequest struct {
	// Backup is the run of one of the store's backups ([Backup].Run); "" is the last good one.
	Backup string `json:"backup,omitempty"`
	// NewPassword has the credentials rotated once the shop runs again. Otherwise those come back that the store had then.
	NewPassword bool `json:"new_password,omitempty"`
}

// Restore is a restore that a store was asked for and that has not come to its READY yet.
type Restore struct {
	Generation int64  `json:"generation"` // that it was accepted as; a later one goes on with it
	Backup     Backup `json:"backup"`
}
