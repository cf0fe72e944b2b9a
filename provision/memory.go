package provision

// Outcome is how one generation has ended.
type Outcome struct {
	Generation int64   `json:"generation"`
	Status     Status  `json:"status"`
	Code       Code    `json:"code,omitempty"`
	Error      string  `json:"error,omitempty"`   // the public text
	Outputs    Outputs `json:"outputs,omitempty"` // of READY
}

// SavedState is what the cluster knows of a store whose record was lost.
type SavedState struct {
	Store     Store    // the newest request that was begun, and the newest generation that touched the namespace
	Op        Op       // what that generation does
	Outcome   *Outcome // nil while the generation has none
	Delivered bool     // the backend has confirmed the verdict
}
