package record

import "orchestrator/provision"

// starts reports whether a provision that says nothing of a suspension starts the shop: its backend believes that it is deleted.
func (s *modelStore) starts(req provision.Request) bool {
	return req.Action == provision.OpProvision && s.newest().grave == graveQuiet
}

// How a store is to be deleted later. Quietly means that the backend is told nothing before; a store that was suspended before stays that.
const (
	graveTold           = "told"
	graveQuiet          = "quiet"
	graveQuietSuspended = "quiet, suspended"
)

// quiet reports whether nothing is told of the generation.
func (s *modelStore) quiet(g *generation) bool {
	return g == s.newest() && (g.grave == graveQuiet || g.grave == graveQuietSuspended)
}

// rotation is the newest request for other credentials; 0 is none.
func (s *modelStore) rotation() int64 {
	if len(s.rotations) == 0 {
		return 0
	}
	return s.rotations[len(s.rotations)-1]
}
