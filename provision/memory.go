package provision

// Verdict is the truth of one generation.
type Verdict struct {
	Generation int64  `json:"generation"`
	Status     Status `json:"status"`
	Code       Code   `json:"code,omitempty"`
	Error      string `json:"error,omitempty"` // the public text
	Facts      Facts  `json:"facts,omitempty"` // of READY
}

// Memory is what the cluster knows of a store whose record was lost.
type Memory struct {
	Store   Store    // the newest request that was begun, and the newest generation that touched the namespace
	Op      Op       // what that generation does
	Verdict *Verdict // nil while the generation has none
	Told    bool     // the backend has confirmed the verdict
}
