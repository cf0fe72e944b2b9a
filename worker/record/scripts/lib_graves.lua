-- The stores that are to be deleted when their grace is over, by when in ms. Until then they are suspended, and any newer request keeps them.
local GRAVES = '{orch}:graves'
