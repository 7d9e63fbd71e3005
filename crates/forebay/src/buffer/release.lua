-- Says that a run of a writer has ended: the next one need not listen whether it is still there.
-- KEYS  writer hash
-- ARGV  the run's id
-- Answer: 1 where the lane was the run's
if redis.call('HGET', KEYS[1], 'writer') ~= ARGV[1] then return 0 end
return redis.call('HDEL', KEYS[1], 'writer')
