package provision

// Outcome is how one generation has ended.
type Outcome struct {
	Generation int64   `json:"generation"`
	Status     Status  `json:"status"`
	Code       Code    `json:"code,omitempty"`
	Error      string  `json:"error,omitempty"`   // the public text
	Outputs    Outputs `json:"outputs,omitempty"` // of READY
}

// SavedStores are the stores that the cluster has saved something about.
type SavedStores struct {
	Stores  []SavedState
	Foreign map[string]int // how many belong to each other installation, by its name; "" for one without a name
}

// SavedState is what the cluster has saved about a store whose record was lost.
type SavedState struct {
	Store     Store    // the newest request whose run began, and the newest generation that wrote to the namespace
	Op        Op       // the operation of that generation
	Outcome   *Outcome // nil while there is none
	Delivered bool     // the backend has confirmed the outcome
}
