-- Writes down what a sink says of itself; what a newer run has said stays.
-- KEYS  the hash that says what the buffer is
-- ARGV  the sink's field of it, epoch, the figures
-- Answer: 0, or the epoch of the newer run, or -1 where there is no such buffer
-- A full server refuses HSET as a script's first write, and not after HDEL.
redis.call('HDEL', KEYS[1], '')
if redis.call('HEXISTS', KEYS[1], 'layout') == 0 then return -1 end
local there = redis.call('HGET', KEYS[1], ARGV[1])
local theirs = there and tonumber(string.match(there, '^(%d+) '))
if theirs and theirs > tonumber(ARGV[2]) then return theirs end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 0
