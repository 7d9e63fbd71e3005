-- Says that a run of a writer has ended: the next one need not listen whether it is still there.
-- KEYS  writer hash
-- ARGV  the run's id, its low watermark
-- Answer: 1 where the lane was the run's
if redis.call('HGET', KEYS[1], 'writer') ~= ARGV[1] then return 0 end
-- First: a full server refuses HSET as a script's first write.
redis.call('HDEL', KEYS[1], 'writer')
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'w', ARGV[2]) end
return 1
