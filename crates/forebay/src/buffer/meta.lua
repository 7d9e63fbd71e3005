-- Makes a buffer, where it is not there.
-- KEYS  the hash that says what it is
-- ARGV  layout, incarnation, 1 where that is the writer's who has the lanes, the time in milliseconds, lanes, streams, then
--       where its frames need one: field and bytes of a dictionary
-- Answer: layout, lanes, incarnation and streams that it has
-- A full server refuses HSET as a script's first write, and not after HDEL.
redis.call('HDEL', KEYS[1], '')
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'layout', ARGV[1], 'incarnation', ARGV[2], 'created', ARGV[4], 'lanes', ARGV[5],
    'streams', ARGV[6])
elseif ARGV[3] == '1' then
  redis.call('HSET', KEYS[1], 'incarnation', ARGV[2])
end
if ARGV[7] then redis.call('HSETNX', KEYS[1], ARGV[7], ARGV[8]) end
return redis.call('HMGET', KEYS[1], 'layout', 'lanes', 'incarnation', 'streams')
