-- Strikes off consumers of a group that nobody uses any more and that hold nothing.
-- KEYS  stream, writer hash
-- ARGV  group, field of the hash, then the consumers
-- Answer: how many were struck off
-- Up to where blocks were given out by then stands in the field: readers that find a hole there know that others may have
-- had them.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local given
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local g = {}
  for i = 1, #group, 2 do g[group[i]] = group[i + 1] end
  if g.name == ARGV[1] then given = g['last-delivered-id'] end
end
if not given then return 0 end
local gone = 0
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[i]) == 0 then
    -- A full server refuses the field, and then everything stays as it was.
    if gone == 0 and redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HSET', KEYS[2], ARGV[2], given) end
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[i])
    gone = gone + 1
  end
end
return gone
