-- KEYS: holds   ARGV: cluster, engine
-- Answers whether there was a hold (1 or 0).
return release_hold(ARGV[1], ARGV[2], now()) and 1 or 0
