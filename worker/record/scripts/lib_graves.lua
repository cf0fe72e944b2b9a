-- The stores that are to be deleted when their grace is over, by when in ms. Until then they are suspended, and any newer request keeps them.
local GRAVES = '{orch}:graves'

-- Whether nothing is told of a generation: the backend knows nothing of grace, and hears DELETED when that is over.
local function quiet(r, gen) return r.generation == gen and r.delete_quiet ~= nil end
