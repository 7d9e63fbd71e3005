-- Makes a buffer, where it is not there: KEYS[1] is the hash that says what it is, ARGV[1] its layout, ARGV[2] its stream, ARGV[3]
-- the time in milliseconds. Answers layout and stream that it has.
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- A full server refuses HSET as a script's first write, and not after HDEL.
  redis.call('HDEL', KEYS[1], 'stream')
  redis.call('HSET', KEYS[1], 'layout', ARGV[1], 'stream', ARGV[2], 'created', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'layout', 'stream')
