-- Writes down that a lane has a group, or that it has it no more: where a failover loses one, nothing is trimmed without it.
-- KEYS  writer hash
-- ARGV  group, 1 or 0
-- Answer: how many groups the lane should have
local field = 'group:' .. ARGV[1]
if ARGV[2] == '1' then
  if redis.call('HSETNX', KEYS[1], field, '') == 1 then redis.call('HINCRBY', KEYS[1], 'groups', 1) end
elseif redis.call('HDEL', KEYS[1], field) == 1 then
  redis.call('HINCRBY', KEYS[1], 'groups', -1)
end
return tonumber(redis.call('HGET', KEYS[1], 'groups') or '0')
