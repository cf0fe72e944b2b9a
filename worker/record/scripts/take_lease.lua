-- KEYS: a lease   ARGV: token, lease ms       Answers 1 to the holder.
return take_lease(KEYS[1], ARGV[1], ARGV[2]) and 1 or 0
