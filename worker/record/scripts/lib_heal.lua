-- A store that has failed for a cause which may go away by itself may become READY after that, where the installation wants it: it is looked at until it is, or
-- the time for it is over.
local HEALING_CODES = { timeout = true, unschedulable = true, volume = true, image = true, quota = true, crash = true }
local FIRST_HEAL_MS = 120000
local LAST_HEAL_MS = 3600000

local function healing(cluster) return '{orch}:healing:' .. cluster end

-- What is left of a restore that has failed is a database alone, whose pods are ready.
local function may_heal(r) return r.op == 'provision' and has_outcome(r) and r.status == 'FAILED' and HEALING_CODES[r.code] and tonumber(r.crashes or 0) == 0 and not r.restore end

-- The pause before the next look: as long again as the failure is ago, within limits.
local function next_heal(at, decided) return at + math.min(math.max(at - decided, FIRST_HEAL_MS), LAST_HEAL_MS) end
