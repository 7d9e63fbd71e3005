-- Says that a buffer has more lanes, where nobody else has said so meanwhile.
-- KEYS  the hash that says what it is
-- ARGV  lanes that it had, lanes that it has from now on, its streams then
-- Answer: layout, lanes, incarnation and streams that it has
-- A full server refuses HSET as a script's first write, and not after HDEL.
redis.call('HDEL', KEYS[1], '')
if redis.call('HGET', KEYS[1], 'lanes') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'lanes', ARGV[2], 'streams', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'layout', 'lanes', 'incarnation', 'streams')
